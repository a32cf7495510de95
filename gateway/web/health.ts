// Liveness, readiness, health by component, metrics: for systemd, orchestrators and Prometheus. Used by web.ts.
import { Type } from 'typebox';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Clock } from '../model.ts';
import type { Status } from '../status.ts';

const Readiness = Type.Object({ ready: Type.Boolean(), reasons: Type.Array(Type.String()) });
const Health = Type.Object({
  status: Type.Union([Type.Literal('ok'), Type.Literal('degraded'), Type.Literal('failed')]),
  components: Type.Array(
    Type.Object({ name: Type.String(), state: Type.String(), reason: Type.String(), seconds: Type.Number() }),
  ),
});

export function health({
  status,
  clock,
  ready,
}: {
  status: Status;
  clock: Clock;
  ready(): { ready: boolean; reasons: string[] };
}): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/livez',
      { schema: { summary: 'The process answers', response: { 200: Type.Object({ ok: Type.Boolean() }) } } },
      () => ({ ok: true }),
    );

    app.get(
      '/readyz',
      { schema: { summary: 'Everything that others depend on is up', response: { 200: Readiness, 503: Readiness } } },
      (_request, reply) => {
        const answer = ready();
        return reply.code(answer.ready ? 200 : 503).send(answer);
      },
    );

    app.get(
      '/health',
      { schema: { summary: 'State of every part, in words', response: { 200: Health, 503: Health } } },
      (_request, reply) => {
        const components = status.components().map(({ name, state, reason, since }) => ({
          name,
          state,
          reason,
          seconds: Math.max(0, (clock.now() - since) / 1000),
        }));
        const failed = components.some((component) => component.state === 'failed');
        const degraded = components.some((component) => component.state === 'degraded');
        return reply
          .code(failed ? 503 : 200)
          .send({ status: failed ? 'failed' : degraded ? 'degraded' : 'ok', components });
      },
    );

    app.get('/metrics', { schema: { summary: 'Prometheus metrics', produces: ['text/plain'] } }, (_request, reply) =>
      reply.type('text/plain; version=0.0.4; charset=utf-8').send(status.metrics()),
    );
  };
}

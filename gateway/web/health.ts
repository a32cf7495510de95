// Liveness, readiness, health by component, metrics: for systemd, orchestrators and Prometheus. Used by web.ts.
import { Type } from 'typebox';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Clock } from '../model.ts';
import type { Status } from '../status.ts';
import type { Backlog, WireHealth } from './wire.ts';

const Readiness = Type.Object({ ready: Type.Boolean(), reasons: Type.Array(Type.String()) });
const Health = Type.Object({
  status: Type.Union([Type.Literal('ok'), Type.Literal('degraded'), Type.Literal('failed')]),
  components: Type.Array(
    Type.Object({ name: Type.String(), state: Type.String(), reason: Type.String(), seconds: Type.Number() }),
  ),
  consumers: Type.Array(
    Type.Object(
      {
        ...{ name: Type.String(), samples: Type.Integer(), bytes: Type.Integer(), dropped: Type.Integer() },
        lost: Type.Optional(Type.Object({ from: Type.String(), to: Type.String() })),
        oldest: Type.Optional(Type.String()),
        tries: Type.Optional(Type.Integer()),
        lastSuccess: Type.Optional(Type.String()),
        lastError: Type.Optional(Type.String()),
      },
      {
        description:
          'what the journal still owes each consumer, samples lost for it and between which times they lie; of a store elsewhere also when the gateway ' +
          'got the oldest samples that wait, failed writes since the last success, when that was, and why they failed',
      },
    ),
  ),
});

export function health({
  status,
  clock,
  ready,
  backlogs,
}: {
  status: Status;
  clock: Clock;
  ready(): { ready: boolean; reasons: string[] };
  backlogs(): Backlog[];
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
      async (_request, reply) => {
        const answer = ready();
        void reply.code(answer.ready ? 200 : 503);
        return answer;
      },
    );

    app.get(
      '/health',
      { schema: { summary: 'State of every part, in words', response: { 200: Health, 503: Health } } },
      async (_request, reply): Promise<WireHealth> => {
        const components = status.components().map(({ name, state, reason, since }) => ({
          name,
          state,
          reason,
          seconds: Math.max(0, (clock.now() - since) / 1000),
        }));
        const failed = components.some((component) => component.state === 'failed');
        const degraded = components.some((component) => component.state === 'degraded');
        void reply.code(failed ? 503 : 200);
        return {
          status: failed ? 'failed' : degraded ? 'degraded' : 'ok',
          components,
          consumers: backlogs(),
        };
      },
    );

    app.get(
      '/metrics',
      {
        schema: {
          summary: 'Prometheus metrics',
          response: { 200: { description: 'text format 0.0.4', content: { 'text/plain': { schema: Type.String() } } } },
        },
      },
      async (_request, reply) => {
        void reply.type('text/plain; version=0.0.4; charset=utf-8');
        return status.metrics();
      },
    );
  };
}

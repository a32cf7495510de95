// GET /stream: connects a browser's response to the hub. Used by web.ts.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Catalog } from '../catalog.ts';
import { Refusal } from './errors.ts';
import { everything, facilityOf } from './scope.ts';
import type { Hub } from './hub.ts';
import { StreamQuery } from './asked.ts';
import { failures } from './schema.ts';

/** ms a stream that has ended may take to hand over its last words. */
const lastWords = 2000;

export function streamRoute({ hub, catalog }: { hub: Hub; catalog(): Catalog }): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/stream',
      {
        // A HEAD would hold a stream that nobody may read.
        exposeHeadRoute: false,
        schema: {
          summary: 'Live values and alarms as server-sent events',
          description:
            'Events hello, snap, d (what changed, in columns over the tag table of /dict), al, dict and bye. ' +
            'With Last-Event-ID the alarm transitions that were missed come first.',
          querystring: StreamQuery,
          response: {
            200: { description: 'a stream of events', content: { 'text/event-stream': { schema: Type.String() } } },
            ...failures,
          },
        },
      },
      (request, reply) => {
        const { hz } = request.query;
        const facility =
          request.query.facility === undefined
            ? undefined
            : facilityOf(catalog(), everything, request.query.facility).id;
        if (hub.full) {
          void reply.header('retry-after', '10');
          throw new Refusal(
            503,
            'there are as many live streams as this gateway serves; close a page that nobody looks at',
          );
        }
        const { raw } = reply;
        reply.hijack();
        // Gone before it began: its 'close' has been and would not come again.
        if (raw.destroyed) return;
        raw.socket?.setNoDelay(true);
        raw.socket?.setTimeout(0);
        raw.writeHead(200, {
          'content-type': 'text/event-stream; charset=utf-8',
          'cache-control': 'no-store',
          'x-accel-buffering': 'no',
        });
        const lastId = request.headers['last-event-id'];
        const sink = {
          write: (text: string) => raw.write(text),
          end: () => {
            raw.end();
            setTimeout(() => raw.destroy(), lastWords).unref();
          },
        };
        const joined = hub.join(sink, facility, hz, typeof lastId === 'string' ? lastId : undefined);
        raw.on('drain', () => joined.drained());
        raw.on('close', () => joined.left());
        raw.on('error', () => joined.left());
      },
    );
  };
}

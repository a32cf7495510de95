// GET /stream: connects a browser's response to the hub. Used by web.ts.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Catalog } from '../catalog.ts';
import { Refusal } from './errors.ts';
import type { Hub } from './hub.ts';
import { StreamQuery } from './schema.ts';

export function streamRoute({ hub, catalog }: { hub: Hub; catalog(): Catalog }): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/stream',
      {
        schema: {
          summary: 'Live values and alarms as server-sent events',
          querystring: StreamQuery,
          produces: ['text/event-stream'],
        },
      },
      (request, reply) => {
        const { facility, hz } = request.query;
        if (facility !== undefined && !catalog().site(facility))
          throw new Refusal(404, `there is no facility "${facility}"`, 'facility');
        const { raw } = reply;
        const lastId = request.headers['last-event-id'];
        const sink = { write: (text: string) => raw.write(text), end: () => raw.end() };
        // The head is written before the hub speaks, and only once the hub has taken the client.
        let head: string | undefined = '';
        const held = {
          write: (text: string) => (head === undefined ? sink.write(text) : ((head += text), true)),
          end: sink.end,
        };
        const joined = hub.join(held, facility, hz === 3 ? 2 : hz, typeof lastId === 'string' ? lastId : undefined);
        if (!joined)
          throw new Refusal(
            503,
            'there are as many live streams as this gateway serves; close a page that nobody looks at',
          );
        reply.hijack();
        raw.on('drain', () => joined.drained());
        raw.on('close', () => joined.left());
        raw.on('error', () => joined.left());
        raw.socket?.setNoDelay(true);
        raw.socket?.setTimeout(0);
        raw.writeHead(200, {
          'content-type': 'text/event-stream; charset=utf-8',
          'cache-control': 'no-store',
          'x-accel-buffering': 'no',
          connection: 'keep-alive',
        });
        const first = head;
        head = undefined;
        sink.write(first);
      },
    );
  };
}

// Every error answer of the web server in one shape: what is wrong, which field, what is allowed. Used by web.ts and routes.ts.
import type { FastifyError } from 'fastify';
import type { ErrorBody } from './wire.ts';

/** A request that is understood and refused; its message is for the caller. */
export class Refusal extends Error {
  readonly statusCode: number;
  readonly field: string | undefined;
  constructor(statusCode: number, message: string, field?: string) {
    super(message);
    this.statusCode = statusCode;
    this.field = field;
  }
}

const names: Record<number, string> = {
  400: 'bad request',
  403: 'forbidden',
  404: 'not found',
  409: 'conflict',
  413: 'too large',
  415: 'unsupported media type',
  421: 'misdirected request',
  500: 'internal error',
  503: 'unavailable',
  504: 'timeout',
};

/** Status and body for whatever was thrown; only what the caller may know goes into the body. */
export function answerTo(error: Error): { status: number; body: ErrorBody } {
  if (error instanceof Refusal) return answer(error.statusCode, error.message, error.field);
  const { validation, validationContext, statusCode } = error as FastifyError;
  const first = validation?.[0];
  if (first) {
    const params = first.params as { missingProperty?: string; additionalProperty?: string; allowedValues?: unknown[] };
    const field = params.missingProperty ?? params.additionalProperty ?? first.instancePath.split('/').pop() ?? '';
    const allowed = params.allowedValues ? ` (${params.allowedValues.join(', ')})` : '';
    const where = validationContext === 'querystring' ? 'parameter' : 'field';
    return answer(
      400,
      `the ${where} "${field}" ${params.missingProperty ? 'is missing' : `${first.message ?? 'is wrong'}${allowed}`}`,
      field,
    );
  }
  // The historian refuses what is too large for one query and says what to do.
  if (error instanceof RangeError) return answer(400, error.message);
  if (error.name === 'TimeoutError') return answer(504, error.message);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return answer(statusCode, error.message);
  return answer(503, 'history or state cannot be read just now; the log says why');
}

function answer(status: number, message: string, field?: string): { status: number; body: ErrorBody } {
  return { status, body: { error: names[status] ?? 'error', message, ...(field ? { field } : {}) } };
}

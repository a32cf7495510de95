// Every error answer of the web server in one shape: what is wrong, which field, what is allowed. Used by
// app.ts, which sends them, and by whatever refuses a request.
import type { FastifyError, FastifySchemaValidationError } from 'fastify';
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
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not found',
  409: 'conflict',
  413: 'too large',
  415: 'unsupported media type',
  421: 'misdirected request',
  429: 'too many requests',
  500: 'internal error',
  503: 'unavailable',
  504: 'timeout',
};

/** Status and body for whatever was thrown; only what the caller may know goes into the body. */
export function answerTo(error: Error): { status: number; body: ErrorBody } {
  if (error instanceof Refusal) return answer(error.statusCode, error.message, error.field);
  const { validation, validationContext, statusCode } = error as FastifyError;
  const first = validation?.[0];
  if (first) return invalid(first, validationContext === 'querystring' ? 'parameter' : 'field');
  if (statusCode === 413) return answer(413, 'the body is too large for this route: send it in smaller parts');
  // First, because the server's own refusal of a large body is a RangeError too.
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return answer(statusCode, error.message);
  // The historian refuses what is too large for one query and says what to do.
  if (error instanceof RangeError) return answer(error.message.includes('took longer') ? 504 : 400, error.message);
  if (error.name === 'TimeoutError') return answer(504, error.message);
  // A defect of ours, not of what is asked or of the disk.
  if (error instanceof TypeError || error instanceof ReferenceError)
    return answer(500, 'the gateway could not answer this; its log says why');
  return answer(503, 'history or state cannot be read just now; the log says why');
}

function invalid(fault: FastifySchemaValidationError & { parentSchema?: object }, where: 'parameter' | 'field') {
  const params = fault.params as { missingProperty?: string; additionalProperty?: string };
  const { minimum, maximum, enum: values } = (fault.parentSchema ?? {}) as Record<string, unknown>;
  const field = params.missingProperty ?? params.additionalProperty ?? fault.instancePath.split('/').pop() ?? '';
  if (field === '') return answer(400, `the body ${fault.message ?? 'is wrong'}`);
  if (params.additionalProperty !== undefined) return answer(400, `there is no ${where} "${field}" here`, field);
  if (params.missingProperty !== undefined) return answer(400, `the ${where} "${field}" is missing`, field);
  let what = fault.message ?? 'is wrong';
  if (typeof minimum === 'number' && typeof maximum === 'number')
    what = `must be a whole number from ${minimum} to ${maximum}`;
  if (Array.isArray(values)) what = `must be one of ${values.join(', ')}`;
  return answer(400, `the ${where} "${field}" ${what}`, field);
}

function answer(status: number, message: string, field?: string): { status: number; body: ErrorBody } {
  return { status, body: { error: names[status] ?? 'error', message, ...(field ? { field } : {}) } };
}

// What is wrong with how the process was called; it ends with exit code 78 and the message.

export class UsageError extends Error {
  override name = 'UsageError';
}

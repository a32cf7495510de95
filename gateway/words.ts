// Numbers in sentences. Used wherever the program speaks to people.

/** "1 error", "2 errors". @param many when it is not just an s */
export const counted = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;

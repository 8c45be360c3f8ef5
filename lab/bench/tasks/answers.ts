import { until } from "../../../test/support/until.ts";

/** Calls the API between two tasks. */
export type Call = <T>(path: string, init?: RequestInit) => Promise<T>;

/** Waits until a path of the API answers what it should. */
export function untilAnswer<T>(
  call: Call,
  path: string,
  isSo: (answer: T) => boolean,
  init?: RequestInit,
): Promise<T> {
  return until(`${path} answers so`, async () => {
    // On a busy machine Redis may not answer in time: 503.
    const answer = await call<T>(path, init).catch(() => undefined);
    return answer !== undefined && isSo(answer) && { answer };
  }).then(({ answer }) => answer);
}

import { until } from "../../test/support/until.ts";

/** Calls the API between two tasks. */
export type Call = <T>(path: string, init?: RequestInit) => Promise<T>;

/** Waits until a path of the API answers what it should. */
export function untilAnswer<T>(call: Call, path: string, isSo: (answer: T) => boolean): Promise<T> {
  return until(`${path} answers so`, async () => {
    const answer = await call<T>(path);
    return isSo(answer) && { answer };
  }).then(({ answer }) => answer);
}

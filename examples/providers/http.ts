// Any API over HTTP, by `fetch`.
import { defineJob, InDoubtError } from "holdfast";
import { http } from "holdfast/evidence";
import { z } from "zod";

// #region contract
export const placeOrder = defineJob({
  type: "place-order",
  payload: z.strictObject({ article: z.string() }),
  result: z.strictObject({ order: z.string() }),
  retry: { attempts: 5, backoff: { kind: "exponential", delayMs: 1_000 } },
  timeoutMs: 60_000,
  effects: { order: { timeoutMs: 10_000, inDoubt: "probe", classify: http } },
});
// #endregion

// #region handler
const answer = z.object({ id: z.string() });

export const placeOrderHandler = (api: string) =>
  placeOrder.handler(async ({ payload, effect }) => {
    const order = await effect(
      "order",
      async ({ key, signal }) => {
        const response = await fetch(`${api}/orders`, {
          method: "POST",
          headers: { "content-type": "application/json", "idempotency-key": key },
          body: JSON.stringify({ ...payload, reference: key }),
          redirect: "error",
          signal,
        });
        if (!response.ok) throw refusalOf(response);
        const placed = answer.safeParse(await response.json());
        if (!placed.success) throw new InDoubtError("The shop's answer cannot be read");
        return placed.data.id;
      },
      { probe: ({ key, signal }) => findOrder(api, key, signal), assumedResult: ({ key }) => `see ${key}` },
    );
    return { order };
  });

/** `fetch` throws for no status. The classifier reads status and `Retry-After`; logs print all that an error has, so it has no more. */
function refusalOf({ status, headers }: Response): Error {
  const known = { "retry-after": headers.get("retry-after") };
  return Object.assign(new Error(`The shop answered ${status}`), { status, headers: known });
}

/** Only a plain "no such order" means not done: an API that is down, or asks for a login, means nothing. */
async function findOrder(api: string, key: string, signal: AbortSignal) {
  const response = await fetch(`${api}/orders/by-reference/${key}`, { signal });
  if (response.status === 404) return "not-done" as const;
  if (!response.ok) return "unknown" as const;
  return { done: answer.parse(await response.json()).id };
}
// #endregion

/** Three ways to say that an effect did not happen. Quoted in docs/effects.md. */
import { defineJob, NotDoneError } from "holdfast";
import { http } from "holdfast/evidence";
import { z } from "zod";

interface Shop {
  order(item: string, key: string): Promise<{ readonly status: "placed" | "sold-out"; readonly id: string }>;
}

const order = defineJob({
  type: "order",
  payload: z.strictObject({ item: z.string() }),
  result: z.strictObject({ orderId: z.string() }),
  retry: { attempts: 5, backoff: { kind: "exponential", delayMs: 1_000, jitter: 0.5 } },
  timeoutMs: 60_000,
  effects: {
    place: { timeoutMs: 10_000, inDoubt: "hold" },
    // #region classifier
    // 2. A classifier in the declaration recognises errors that prove something: here, answers of 4xx.
    announce: { timeoutMs: 10_000, inDoubt: "hold", classify: http },
    // #endregion
    // #region on-error
    // 3. The effect decides itself: it throws before it acts, and never afterwards.
    note: { timeoutMs: 10_000, inDoubt: "hold", onError: "not-done" },
    // #endregion
  },
});

export const orderHandler = (
  shop: Shop,
  announce: (id: string) => Promise<void>,
  note: (id: string) => void,
) =>
  order.handler(async ({ payload, effect }) => {
    // #region own-word
    // 1. The effect's own word, where its code knows it.
    const id = await effect("place", async ({ key }) => {
      const placed = await shop.order(payload.item, key);
      if (placed.status === "sold-out") throw new NotDoneError("sold out", { retryAfterMs: 60 * 60_000 });
      return placed.id;
    });
    // #endregion
    const orderId = id ?? "unknown";
    await effect("announce", () => announce(orderId));
    await effect("note", async () => note(orderId));
    return { orderId };
  });

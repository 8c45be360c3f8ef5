import { createGuard, defineEffect } from "holdfast/guard";
import { type Open, payload, REPLAYED } from "./lib/inside/contestant.ts";

const effect = defineEffect({ name: "charge", timeoutMs: 60_000, inDoubt: "hold" });

/** Holdfast's guard: a submission is the first call of a key, a status is a later one. */
export const open: Open = async (url) => {
  const guard = await createGuard({ effects: [effect], env: { ...process.env, REDIS_URL: url } });
  await guard.once(effect, { key: REPLAYED, content: payload }, async () => ({ id: REPLAYED }));
  return {
    async submit(key) {
      await guard.once(effect, { key, content: payload }, async () => ({ id: key }));
      return key;
    },
    async status(key) {
      const { id } = (await guard.once(effect, { key, content: payload }, async () => ({ id: "other" }))) as {
        readonly id: string;
      };
      return id === key ? "waiting" : "missing";
    },
  };
};

// The least guard there is, by hand: a key set before, and the result after. It knows no content, no fence and no doubt.
import { Redis } from "ioredis";
import { type Open, REPLAYED } from "../lib/inside/contestant.ts";

const WEEK_MS = 7 * 24 * 60 * 60 * 1_000;

export const open: Open = async (url) => {
  const redis = new Redis(url);
  await redis.set(`guard:${REPLAYED}`, JSON.stringify({ id: REPLAYED }));
  return {
    async submit(key) {
      if ((await redis.set(`guard:${key}`, "", "PX", WEEK_MS, "NX")) === null) throw new Error("guarded");
      await redis.set(`guard:${key}`, JSON.stringify({ id: key }), "PX", WEEK_MS);
      return key;
    },
    async status(key) {
      const { id } = JSON.parse((await redis.get(`guard:${key}`)) ?? "{}") as { readonly id?: string };
      return id === key ? "waiting" : "missing";
    },
  };
};

// BullMQ's worker with the smallest possible guard of a side effect: a key set before, and marked done after.
// It does not distinguish attempts and cannot handle a crash in between; it shows the cost of one more durable write.
import { Redis } from "ioredis";
import type { Work } from "../lib/inside/contestant.ts";
import { workWith } from "./bullmq.ts";

export { open } from "./bullmq.ts";

const WEEK_MS = 7 * 24 * 60 * 60 * 1_000;

export const work: Work = async (url, options) => {
  const guards = new Redis(url, { maxRetriesPerRequest: null });
  await workWith(url, options, async (id) => {
    const key = `guard:${id}`;
    if ((await guards.set(key, "reserved", "PX", WEEK_MS, "NX")) === null) throw new Error("guarded");
    void guards.set(key, "done", "PX", WEEK_MS);
  });
};

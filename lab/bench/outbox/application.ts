import { defineConfig, defineJob } from "holdfast";
import { Redis } from "ioredis";
import { z } from "zod";

/** Where starts are written: how long after its commit each job began, in milliseconds. */
export const STARTS = "bench:starts";

export const measured = defineJob({
  type: "measured",
  payload: z.object({ committedAt: z.number().optional(), n: z.number() }),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 10_000,
});

export default defineConfig({
  jobs: [measured],
  handlers: async () => {
    const client = new Redis(process.env.REDIS_URL ?? "", { lazyConnect: true });
    return [
      measured.handler(async ({ payload: { n, committedAt } }) => {
        const startedAt = performance.timeOrigin + performance.now();
        if (committedAt !== undefined) await client.hset(STARTS, n, startedAt);
      }),
    ];
  },
});

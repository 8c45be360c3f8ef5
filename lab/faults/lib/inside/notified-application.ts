import { defineConfig, defineJob } from "holdfast";
import { z } from "zod";

/** Types that leave their effect in doubt, each in a queue of its own: a notice is about one queue. */
export const doubted = Array.from({ length: 10 }, (_, at) =>
  defineJob({
    type: `doubted-${at}`,
    queue: `doubted-${at}`,
    payload: z.null(),
    result: z.null(),
    retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
    timeoutMs: 60_000,
    effects: { act: { timeoutMs: 20_000, inDoubt: "hold" } },
  }),
);

/** An application whose doubts, and whose Redis's absence, are told. */
export default defineConfig({
  jobs: doubted,
  handlers: async () =>
    doubted.map((job) =>
      job.handler(async ({ effect }) => {
        await effect("act", async () => {
          throw new Error("the answer was lost");
        });
        return null;
      }),
    ),
  notices: {
    receivers: [
      { name: "on-call", webhook: "ON_CALL_URL", secret: "ON_CALL_SECRET", kinds: ["doubt", "redis"] },
    ],
    bucketMs: Number(process.env.LAB_BUCKET_MS ?? 30_000),
  },
});

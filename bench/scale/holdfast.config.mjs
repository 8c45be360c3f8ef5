import { defineConfig, defineJob } from "holdfast";
import { z } from "zod";

const order = defineJob({
  type: "order",
  payload: z.strictObject({ cents: z.int() }),
  result: z.strictObject({}),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 1_000 } },
  timeoutMs: 10_000,
  queue: "orders",
});

/** One queue, in as many partitions as it is told. */
export default defineConfig({
  jobs: [order],
  handlers: async () => [order.handler(async () => ({}))],
  queues: { orders: { partitions: Number(process.env.SCALE_PARTITIONS ?? 1) } },
});

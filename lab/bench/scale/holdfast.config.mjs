import { defineConfig, defineJob } from "holdfast";
import { z } from "zod";

const queues = Array.from({ length: Number(process.env.SCALE_QUEUES ?? 1) }, (_, index) => `orders-${index}`);

const orders = queues.map((queue) =>
  defineJob({
    type: queue,
    payload: z.strictObject({ cents: z.int() }),
    result: z.strictObject({}),
    retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 1_000 } },
    timeoutMs: 10_000,
    queue,
  }),
);
const partitions = Number(process.env.SCALE_PARTITIONS ?? 1);

/** As many queues, in as many partitions each, as it is told. */
export default defineConfig({
  jobs: orders,
  handlers: async () => orders.map((order) => order.handler(async () => ({}))),
  queues: Object.fromEntries(queues.map((queue) => [queue, { partitions }])),
});

// A producer in its own process: `driver.ts MODULE`. It takes orders as messages.
import { randomUUID } from "node:crypto";
import { latencyOf } from "../../../lib/statistics.ts";
import type { Driven, Order } from "../driver.ts";
import type { Open, Producer } from "./contestant.ts";
import { now } from "./report-start.ts";

const [, , module = ""] = process.argv;
const { open } = (await import(new URL(`../../${module}.js`, import.meta.url).href)) as { open: Open };
const producer = await open(process.env.REDIS_URL ?? "");

process.on("disconnect", () => process.exit());
process.on("message", (order: Order) => {
  carryOut(producer, order).then(
    (driven) => process.send?.({ driven }),
    (error: unknown) => process.send?.({ failed: error instanceof Error ? error.stack : String(error) }),
  );
});
process.send?.({});

async function carryOut(producer: Producer, order: Order): Promise<Driven> {
  switch (order.task) {
    case "submit":
      return await forSeconds(order, submission(producer, order.batch));
    case "fill":
      return await fill(producer, order);
    case "status":
      return await forSeconds(order, async () => expectState(await producer.status?.(order.id)));
    case "submit-one": {
      const at = now();
      await producer.submit(randomUUID(), "timed-email");
      return { count: 1, milliseconds: now() - at, latency: latencyOf([]), at };
    }
  }
}

function newKeys(count: number): string[] {
  return Array.from({ length: count }, () => randomUUID());
}

function submission(producer: Producer, batch: number | undefined): () => Promise<unknown> {
  const { submitMany } = producer;
  if (batch === undefined) return () => producer.submit(randomUUID());
  if (submitMany === undefined) throw new TypeError("This contestant takes no batches");
  return () => submitMany(newKeys(batch));
}

function expectState(state: string | undefined): void {
  if (state !== "waiting") throw new Error(`Expected a job that waits, got ${state}`);
}

/** Keeps `inFlight` operations in flight until the time is up, and lets the last ones finish. */
async function forSeconds(
  { inFlight, seconds }: { readonly inFlight: number; readonly seconds: number },
  operation: () => Promise<unknown>,
): Promise<Driven> {
  const took: number[] = [];
  const startedAt = performance.now();
  const endsAt = startedAt + seconds * 1_000;
  const lane = async () => {
    for (let begun = performance.now(); begun < endsAt; ) {
      await operation();
      const ended = performance.now();
      took.push(ended - begun);
      begun = ended;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return { count: took.length, milliseconds: performance.now() - startedAt, latency: latencyOf(took) };
}

const FILL_AT_ONCE = 500;
const FILL_LANES = 4;

/** Not measured, so the fastest way will do. */
async function fill(producer: Producer, { count, type = "plain-email" }: FillOrder): Promise<Driven> {
  const startedAt = performance.now();
  let left = count;
  const lane = async () => {
    while (left > 0) {
      const keys = newKeys(Math.min(FILL_AT_ONCE, left));
      left -= keys.length;
      await (producer.submitMany?.(keys, type) ?? Promise.all(keys.map((key) => producer.submit(key, type))));
    }
  };
  await Promise.all(Array.from({ length: FILL_LANES }, lane));
  return { count, milliseconds: performance.now() - startedAt, latency: latencyOf([]) };
}

type FillOrder = Extract<Order, { readonly task: "fill" }>;

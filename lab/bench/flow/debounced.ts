import { randomUUID } from "node:crypto";
import { createProducer, defineConfig, defineJob } from "holdfast";
import { Redis } from "ioredis";
import { z } from "zod";

/** Microseconds of Redis's own time for a submission's script. */
export interface DebounceCost {
  readonly together: number;
  readonly delayedUs: number;
  /** Of submissions of which each replaces another. */
  readonly debouncedUs: number;
  /** The median of the rounds' ratios. */
  readonly ratio: number;
}

const note = defineJob({
  type: "note",
  payload: z.int(),
  result: z.unknown(),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 1_000 } },
  timeoutMs: 10_000,
});
const application = defineConfig({ jobs: [note], handlers: async () => [] });

const JOBS_EACH = 640;
const DEBOUNCE_KEYS = 64;
const HOUR_MS = 3_600_000;

/** @param together how many jobs one command adds */
export async function measureDebounced(
  redisUrl: string,
  together: number,
  rounds: number,
): Promise<DebounceCost> {
  const client = new Redis(redisUrl);
  const producer = await createProducer(application, {
    REDIS_URL: redisUrl,
    HOLDFAST_PREFIX: `flow-${randomUUID()}`,
    HOLDFAST_DURABILITY: "memory",
    HOLDFAST_LOG_LEVEL: "warn",
  });
  let next = 0;
  const submit = (isDebounced: boolean) => {
    next += 1;
    const options = isDebounced
      ? { debounce: { key: `document-${next % DEBOUNCE_KEYS}`, ms: HOUR_MS } }
      : { delayMs: HOUR_MS };
    return producer.submit(note, next, { idempotencyKey: `job-${next}`, ...options });
  };
  const usOf = async (isDebounced: boolean) => {
    await client.config("RESETSTAT");
    for (let done = 0; done < JOBS_EACH; done += together)
      await Promise.all(Array.from({ length: together }, () => submit(isDebounced)));
    const stats = await client.info("commandstats");
    return Number(/cmdstat_evalsha:calls=\d+,usec=(\d+)/.exec(stats)?.[1]) / JOBS_EACH;
  };
  try {
    await usOf(false);
    await usOf(true);
    const measured: { delayedUs: number; debouncedUs: number }[] = [];
    for (let round = 0; round < rounds; round += 1)
      measured.push({ delayedUs: await usOf(false), debouncedUs: await usOf(true) });
    const ratios = measured.map((each) => each.debouncedUs / each.delayedUs).sort((a, b) => a - b);
    return {
      together,
      // The quietest round: whatever else the machine does comes on top.
      delayedUs: Math.min(...measured.map(({ delayedUs }) => delayedUs)),
      debouncedUs: Math.min(...measured.map(({ debouncedUs }) => debouncedUs)),
      ratio: ratios[Math.floor(ratios.length / 2)] ?? Number.NaN,
    };
  } finally {
    await producer.stop();
    client.disconnect();
  }
}

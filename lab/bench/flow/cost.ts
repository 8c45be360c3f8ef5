import { randomUUID } from "node:crypto";
import { createProducer, defineConfig, defineJob } from "holdfast";
import { Redis } from "ioredis";
import { z } from "zod";

/** Microseconds of Redis's own time for a submission's script, plain and fair. */
export interface SubmissionCost {
  readonly together: number;
  readonly plainUs: number;
  readonly fairUs: number;
  readonly ratio: number;
}

export interface CostSize {
  readonly rounds: number;
  readonly jobsEach: number;
  readonly tenants: number;
}

const common = {
  payload: z.strictObject({ tenant: z.string() }),
  result: z.unknown(),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 1_000 } },
  timeoutMs: 10_000,
} as const;
const plain = defineJob({ ...common, type: "plain", queue: "plain" });
const fair = defineJob({ ...common, type: "fair", queue: "fair", fairness: { key: ({ tenant }) => tenant } });
const application = defineConfig({ jobs: [plain, fair], handlers: async () => [] });

/** @param together how many jobs one command adds */
export async function measureCost(
  redisUrl: string,
  together: number,
  size: CostSize,
): Promise<SubmissionCost> {
  const client = new Redis(redisUrl);
  const producer = await createProducer(application, {
    REDIS_URL: redisUrl,
    HOLDFAST_PREFIX: `flow-${randomUUID()}`,
    HOLDFAST_DURABILITY: "memory",
    HOLDFAST_LOG_LEVEL: "warn",
  });
  let next = 0;
  const submit = (job: typeof plain | typeof fair) => {
    next += 1;
    const payload = { tenant: `tenant-${next % size.tenants}` };
    return producer.submit(job, payload, { idempotencyKey: `job-${next}` });
  };
  const usOf = async (job: typeof plain | typeof fair) => {
    await client.config("RESETSTAT");
    for (let done = 0; done < size.jobsEach; done += together)
      await Promise.all(Array.from({ length: together }, () => submit(job)));
    const stats = await client.info("commandstats");
    return Number(/cmdstat_evalsha:calls=\d+,usec=(\d+)/.exec(stats)?.[1]) / size.jobsEach;
  };
  try {
    await usOf(plain);
    await usOf(fair);
    const rounds: { plainUs: number; fairUs: number }[] = [];
    for (let round = 0; round < size.rounds; round += 1)
      rounds.push({ plainUs: await usOf(plain), fairUs: await usOf(fair) });
    // The quietest round: whatever else the machine does comes on top.
    const plainUs = Math.min(...rounds.map((round) => round.plainUs));
    const fairUs = Math.min(...rounds.map((round) => round.fairUs));
    return { together, plainUs, fairUs, ratio: fairUs / plainUs };
  } finally {
    await producer.stop();
    client.disconnect();
  }
}

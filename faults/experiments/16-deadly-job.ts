import { LOCK_MS, withBench } from "../lib/bench.ts";
import { check, type JobRecord } from "../lib/checker.ts";
import type { Submission } from "../lib/client.ts";
import type { Context, Experiment } from "../lib/experiment.ts";
import { inLanes } from "../lib/waiting.ts";

/** Its attempts and the five crashes that the default policy allows. */
const STARTS_ALLOWED = 3 + 5;

export const deadlyJob: Experiment = {
  number: 16,
  title: "A job kills its worker each time",
  fault: "a handler that ends its own process with SIGKILL",
  mustHold: "failed as STARTS_EXHAUSTED after its bounded starts; other jobs unharmed",
  async run(context) {
    const size = context.isQuick ? { deadly: 1, others: 40 } : { deadly: 20, others: 1_500 };
    return await withBench({ workers: 4, concurrency: 4 }, async (bench) => {
      await inLanes(submissions(size, context), 16, async (submission) => {
        await bench.client.submit(submission);
      });
      const withinMs = 30_000 + size.deadly * STARTS_ALLOWED * 3 * LOCK_MS;
      const { counts, jobs, findings } = await check(bench, withinMs);
      const deadly = jobs.filter(({ key }) => key.startsWith("deadly"));
      const others = jobs.filter(({ key }) => key.startsWith("other"));
      const harmed = others.filter(({ status }) => status?.state !== "completed");
      const wrong = deadly.filter((job) => !isExhausted(job));
      const deaths = deadly.map(begun);
      counts.faults = bench.deaths.length;
      // A deadly job is meant to fail.
      counts.failed -= deadly.length - wrong.length;
      return {
        counts,
        measured: [
          `${deadly.length} deadly jobs, each ended after ${Math.min(...deaths)} to ${Math.max(...deaths)} deaths (allowed: ${STARTS_ALLOWED})`,
          `${others.length} other jobs on the same workers, ${others.length - harmed.length} completed; ` +
            `the unluckiest was begun ${Math.max(...others.map(begun))} times`,
        ],
        broken: [
          ...(wrong.length > 0 ? [`${wrong.length} deadly jobs did not end as STARTS_EXHAUSTED`] : []),
          ...(deaths.some((count) => count > STARTS_ALLOWED) ? ["a deadly job was begun too often"] : []),
          ...(harmed.length > 0 ? [`${harmed.length} other jobs were harmed`, ...findings] : []),
        ],
        controls: [],
      };
    });
  },
};

function* submissions(
  { deadly, others }: { deadly: number; others: number },
  { random, say }: Context,
): Iterable<Submission> {
  const every = Math.floor(others / deadly);
  for (let index = 0; index < others; index += 1) {
    if (index % every === 0) yield { type: "deadly", idempotencyKey: `deadly-${index / every}`, payload: {} };
    say(`${index} jobs submitted`);
    yield { type: "bystander", idempotencyKey: `other-${index}`, payload: { ms: random.between(0, 50) } };
  }
}

function isExhausted({ status }: JobRecord): boolean {
  return status?.state === "failed" && status.error?.code === "STARTS_EXHAUSTED";
}

function begun({ steps }: JobRecord): number {
  return steps.filter(({ event }) => event === "begun").length;
}

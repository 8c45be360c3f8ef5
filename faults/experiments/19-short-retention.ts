import { allEnded, withBench } from "../lib/bench.ts";
import { type Counts, noCounts } from "../lib/checker.ts";
import { brokenBy, type Context, type Experiment } from "../lib/experiment.ts";
import { groupBy } from "../lib/group-by.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutLedgerLife } from "../lib/mutations.ts";
import { inLanes, until } from "../lib/waiting.ts";

/** What an effect is remembered for: shorter than the pause between two attempts. */
const RETENTION_MS = 1_000;
const DELAY_MS = 1_700;

export const shortRetention: Experiment = {
  number: 19,
  title: "Jobs outlive the retention",
  fault: "attempts further apart than effects are remembered; workers killed meanwhile",
  mustHold: "effects ≤ 1 while the job lives, however long that is",
  async run(context) {
    const size = context.isQuick
      ? { jobs: 12, failures: 2, kills: 2 }
      : { jobs: 200, failures: 6, kills: 20 };
    const counts = await outlive(context, size);
    const control = await outlive(context, { jobs: 4, failures: 1, kills: 0 }, withoutLedgerLife);
    return {
      counts,
      measured: [
        `${size.jobs} jobs with ${size.failures} pauses of ${DELAY_MS} ms each, at a retention of ${RETENTION_MS} ms`,
      ],
      broken: brokenBy({ counts, jobs: [], findings: [] }),
      controls: [
        {
          protection: withoutLedgerLife.name,
          isCaught: control.repeated > 0,
          seen: `${control.repeated} effects repeated in ${control.acknowledged} jobs`,
        },
      ],
    };
  },
};

interface Size {
  readonly jobs: number;
  readonly failures: number;
  readonly kills: number;
}

/** Jobs that have ended are soon gone at such a retention, so that the witness alone knows what became of them. */
async function outlive(context: Context, size: Size, cut?: Mutation): Promise<Counts> {
  const env = { HOLDFAST_RETENTION_MS: String(RETENTION_MS) };
  return await withBench({ workers: 3, concurrency: 20, env, ...(cut && { cut }) }, async (bench) => {
    const keys = Array.from({ length: size.jobs }, (_, index) => `late-${index}`);
    await inLanes(keys, 20, async (idempotencyKey) => {
      const payload = { failures: size.failures, delayMs: DELAY_MS };
      await bench.client.submit({ type: "late", idempotencyKey, payload });
    });
    for (let kill = 0; kill < size.kills; kill += 1) {
      context.say(`${size.jobs} jobs, ${bench.deaths.length} kills`);
      const worker = context.random.pick(bench.workers);
      worker.signal("SIGKILL");
      await until(() => bench.deaths.length > kill, { withinMs: 10_000 });
      await worker.ready();
    }
    const notEnded = await allEnded(bench, 60_000);
    const times = [...groupBy(bench.told(), ({ job }) => job).values()].map(({ length }) => length);
    return {
      ...noCounts,
      acknowledged: bench.client.acknowledged.length,
      faults: bench.deaths.length + size.jobs * size.failures,
      notEnded: notEnded.size,
      // A kill in the middle leaves a doubt, which the job says until the retention removes it.
      doubtNotDone: size.jobs - times.length,
      repeated: times.filter((count) => count > 1).length,
    };
  });
}

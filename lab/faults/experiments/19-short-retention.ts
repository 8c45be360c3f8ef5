import { groupBy } from "../../lib/group-by.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { type Counts, noCounts } from "../lib/checker.ts";
import { brokenBy, type Context, type Experiment } from "../lib/experiment.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutLedgerLife } from "../lib/mutations.ts";
import { allEnded, withTestbed } from "../lib/testbed.ts";

/** How long effects are remembered: less than the pause between two attempts. */
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

/** Ended jobs are soon gone, so only the witness knows their outcome. */
async function outlive(context: Context, size: Size, mutation?: Mutation): Promise<Counts> {
  const env = { HOLDFAST_RETENTION_MS: String(RETENTION_MS) };
  return await withTestbed(
    { workers: 3, concurrency: 20, env, ...(mutation && { mutation }) },
    async (testbed) => {
      const keys = Array.from({ length: size.jobs }, (_, index) => `late-${index}`);
      await inLanes(keys, 20, async (idempotencyKey) => {
        const payload = { failures: size.failures, delayMs: DELAY_MS };
        await testbed.client.submit({ type: "late", idempotencyKey, payload });
      });
      for (let kill = 0; kill < size.kills; kill += 1) {
        context.say(`${size.jobs} jobs, ${testbed.deaths.length} kills`);
        const worker = context.random.pick(testbed.workers);
        worker.signal("SIGKILL");
        await until(() => testbed.deaths.length > kill, { withinMs: 60_000 });
        await worker.ready();
      }
      const notEnded = await allEnded(testbed, 120_000);
      const times = [...groupBy(testbed.witnessed(), ({ job }) => job).values()].map(({ length }) => length);
      return {
        ...noCounts,
        acknowledged: testbed.client.acknowledged.length,
        faults: testbed.deaths.length + size.jobs * size.failures,
        notEnded: notEnded.size,
        // A kill in the middle leaves a doubt, which is gone with the job after the retention.
        doubtNotDone: size.jobs - times.length,
        repeated: times.filter((count) => count > 1).length,
      };
    },
  );
}

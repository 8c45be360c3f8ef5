import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../../test/support/random.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { check, type Verdict } from "../lib/checker.ts";
import type { Submission } from "../lib/client.ts";
import {
  brokenBy,
  type Context,
  type Control,
  controlOf,
  type Experiment,
  untilCaught,
} from "../lib/experiment.ts";
import type { LanePayload } from "../lib/inside/contracts.ts";
import type { Mutation } from "../lib/installation.ts";
import { type LaneFaults, laneFaults } from "../lib/lane-faults.ts";
import { withoutHoldingBack, withoutLaneOrder, withoutLaneSweep } from "../lib/mutations.ts";
import { type Testbed, withTestbed } from "../lib/testbed.ts";

export const lanes: Experiment = {
  number: 29,
  title: "One at a time, or three, for each key",
  fault:
    "SIGKILL of workers at random, and right after a job's end, before the next one of its key is let in; some attempts fail and wait " +
    "for their retry",
  mustHold:
    "of each key at most one job, or three, is under way, at one in order of submission; all jobs end",
  async run(context) {
    const seen = await runLanes(context, context.isQuick ? quick : full);
    context.say("controls");
    const controls = await Promise.all([
      control(context, withoutHoldingBack, ({ beyond }) =>
        beyond > 0 ? [`${beyond} times more at a time than the limit`] : [],
      ),
      control(context, withoutLaneOrder, ({ outOfOrder }) =>
        outOfOrder > 0 ? [`${outOfOrder} jobs began out of order`] : [],
      ),
      control(context, withoutLaneSweep, ({ forgotten }) =>
        forgotten > 0 ? [`${forgotten} jobs were never let in`] : [],
      ),
    ]);
    const { verdict, faults, keys, deaths } = seen;
    return {
      counts: verdict.counts,
      table: {
        head: ["jobs", "keys", "out of order", "beyond the limit", "never begun", "deaths"],
        rows: [[verdict.jobs.length, keys, faults.outOfOrder, faults.beyond, faults.missing, deaths]],
      },
      measured: [`${faults.begun} attempts began, ${faults.most} jobs of one key at a time at most`],
      broken: [
        ...(faults.outOfOrder > 0 ? [`${faults.outOfOrder} jobs began out of order`] : []),
        ...(faults.beyond > 0 ? [`${faults.beyond} times more jobs were under way than the limit`] : []),
        ...(faults.missing > 0 ? [`${faults.missing} jobs never ended at the witness`] : []),
        ...brokenBy(verdict),
      ],
      controls,
    };
  },
};

interface Size {
  readonly workers: number;
  /** Keys of each limit. */
  readonly keys: number;
  readonly jobsEach: number;
  readonly kills: number;
  /** Milliseconds between two kills. */
  readonly everyMs: number;
  /** One job in so many kills its worker right after its end. */
  readonly injected: number;
  /** How long a job runs, in milliseconds. */
  readonly runMs: readonly [least: number, most: number];
}

const RUN_MS: Size["runMs"] = [0, 15];
const quick: Size = {
  workers: 2,
  keys: 4,
  jobsEach: 10,
  kills: 2,
  everyMs: 500,
  injected: 40,
  runMs: RUN_MS,
};
const full: Size = {
  workers: 3,
  keys: 40,
  jobsEach: 40,
  kills: 12,
  everyMs: 1_500,
  injected: 80,
  runMs: RUN_MS,
};
/** Nobody is killed at random. Jobs run for longer than it takes to submit the next one. */
const controlled: Size = { ...quick, jobsEach: 6, kills: 0, injected: 12, runMs: [40, 80] };

const LIMITS = { single: 1, triple: 3 } as const;
/** Sent in one turn of the event loop, they stay in order. */
const TOGETHER = 5;
const ENDS_WITHIN_MS = 120_000;
/** Without the sweep some jobs never end; with it, it looks several times within this. */
const QUIET_MS = 5_000;
const CONTROL_TRIES = 4;

interface Seen {
  readonly verdict: Verdict;
  readonly faults: LaneFaults;
  readonly keys: number;
  readonly deaths: number;
}

async function runLanes(context: Context, size: Size, mutation?: Mutation): Promise<Seen> {
  return await withTestbed({ workers: size.workers, ...(mutation && { mutation }) }, async (testbed) => {
    const jobs = jobsOf(size, context.random);
    const submitted = submitInOrder(testbed, jobs);
    for (let kill = 0; kill < size.kills; kill += 1) {
      await sleep(size.everyMs);
      context.random.pick(testbed.workers).signal("SIGKILL");
    }
    await submitted;
    const isEndless = mutation === withoutLaneSweep;
    if (isEndless) await untilQuiet(testbed);
    const verdict = await check(testbed, isEndless ? 0 : ENDS_WITHIN_MS);
    verdict.counts.faults = testbed.deaths.length;
    const faults = laneFaults(
      testbed.witnessed(),
      jobs.map(({ limit, payloads }) => ({ limit, payloads })),
    );
    return { verdict, faults, keys: jobs.length, deaths: testbed.deaths.length };
  });
}

interface LaneJobs {
  readonly type: "single" | "triple";
  readonly limit: number;
  readonly payloads: readonly LanePayload[];
}

function jobsOf({ keys, jobsEach, injected, runMs }: Size, random: Random): LaneJobs[] {
  return Array.from({ length: 2 * keys }, (_, index) => {
    const type = index % 2 === 0 ? "single" : "triple";
    const payloads = Array.from({ length: jobsEach }, (_, place) => ({
      lane: `${type}-${index}`,
      place,
      ms: random.between(...runMs),
      failures: random.next() < 0.1 ? 1 : 0,
      ...((index * jobsEach + place) % injected === 1 && {
        inject: { at: "finish:after", how: "kill" } as const,
      }),
    }));
    return { type, limit: LIMITS[type], payloads };
  });
}

/** The jobs of a key in order, some together, the keys side by side. */
async function submitInOrder({ client }: Testbed, lanes: readonly LaneJobs[]): Promise<void> {
  await inLanes(lanes, lanes.length, async ({ type, payloads }) => {
    for (let at = 0; at < payloads.length; at += TOGETHER) {
      const jobs = payloads
        .slice(at, at + TOGETHER)
        .map(
          (payload): Submission => ({ type, idempotencyKey: `${payload.lane}/${payload.place}`, payload }),
        );
      await Promise.all(jobs.map((job) => client.submit(job)));
    }
  });
}

async function control(
  context: Context,
  mutation: Mutation,
  notice: (noticed: LaneFaults) => string[],
): Promise<Control> {
  return await untilCaught(CONTROL_TRIES, async () => {
    const { faults } = await runLanes(context, controlled, mutation);
    return controlOf(mutation.name, notice(faults));
  });
}

/** Waits until the witness has learned of nothing for a while. */
async function untilQuiet(testbed: Testbed): Promise<void> {
  let [seen, since] = [0, performance.now()];
  const isQuiet = () => {
    const { length } = testbed.witnessed();
    if (length > seen) [seen, since] = [length, performance.now()];
    return performance.now() - since > QUIET_MS;
  };
  await until(isQuiet, { withinMs: ENDS_WITHIN_MS });
}

import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import type { Random } from "../../../test/support/random.ts";
import { mostStartsIn, type Start, startsOf } from "../../../test/support/starts.ts";
import { groupBy } from "../../lib/group-by.ts";
import { inLanes } from "../../lib/waiting.ts";
import { check, type Verdict } from "../lib/checker.ts";
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
import { withoutTokensOfRetries, withoutWindow } from "../lib/mutations.ts";
import { type Testbed, withTestbed } from "../lib/testbed.ts";

export const rate: Experiment = {
  number: 41,
  title: "Two starts a second for each key",
  fault:
    "SIGKILL of workers and of Redis at random, and of workers right after a job's end; some attempts fail and are started again",
  mustHold:
    "no window of a second has more than two starts of a key, by the times that Redis gave them; each run at the witness is one of them; all jobs end",
  async run(context) {
    const seen = await runRated(context, context.isQuick ? quick : full);
    context.say("controls");
    const controls = [await control(context, withoutWindow), await control(context, withoutTokensOfRetries)];
    const { verdict, faults, keys, deaths, outages } = seen;
    return {
      counts: verdict.counts,
      table: {
        head: ["jobs", "keys", "starts", "most in a window", "keys beyond", "deaths", "kills of Redis"],
        rows: [
          [verdict.jobs.length, keys, faults.starts, faults.most, faults.beyond.length, deaths, outages],
        ],
      },
      measured: [
        `${faults.atWitness} runs at the witness, ${faults.mostAtWitness} of a key within a second at most, by when it learnt of them`,
      ],
      broken: [...brokenOf(faults), ...brokenBy(verdict)],
      controls,
    };
  },
};

interface Size {
  readonly keys: number;
  readonly jobsEach: number;
  /** Of workers; one in three is of Redis, too. */
  readonly kills: number;
  /** One job in so many kills its worker right after its end. */
  readonly injected: number;
  /** The share of jobs whose first attempt fails. */
  readonly failing: number;
}

const quick: Size = { keys: 20, jobsEach: 8, kills: 3, injected: 60, failing: 0.1 };
const full: Size = { keys: 200, jobsEach: 16, kills: 12, injected: 200, failing: 0.1 };
/** Nobody is killed. */
const controlled: Size = { keys: 10, jobsEach: 6, kills: 0, injected: Number.MAX_SAFE_INTEGER, failing: 0.5 };

/** As the contract says. */
const [LIMIT, WINDOW_MS] = [2, 1_000];
const WORKERS = 4;
const KILL_EVERY_MS = 800;
const TOGETHER = 20;
const ENDS_WITHIN_MS = 180_000;
const CONTROL_TRIES = 3;
/** All of them: BullMQ would keep the latest 10,000. */
const EVENTS_KEPT = 1_000_000;
const keysOfQueue = queueKeys("holdfast", "rates");

interface RateFaults {
  readonly starts: number;
  /** Of a key in a window. */
  readonly most: number;
  /** Keys that had more starts in a window than the limit. */
  readonly beyond: readonly string[];
  /** Jobs that ran more often than they were started. */
  readonly unseen: number;
  readonly atWitness: number;
  readonly mostAtWitness: number;
}

interface Seen {
  readonly verdict: Verdict;
  readonly faults: RateFaults;
  readonly keys: number;
  readonly deaths: number;
  readonly outages: number;
}

async function runRated(context: Context, size: Size, mutation?: Mutation): Promise<Seen> {
  return await withTestbed({ workers: WORKERS, ...(mutation && { mutation }) }, async (testbed) => {
    const store = new Redis(testbed.store.url, { maxRetriesPerRequest: null });
    store.on("error", () => {});
    try {
      await store.hset(keysOfQueue.meta, "opts.maxLenEvents", EVENTS_KEPT);
      const submitted = submitAll(testbed, payloadsOf(size, context.random));
      for (let kill = 1; kill <= size.kills; kill += 1) {
        await sleep(KILL_EVERY_MS);
        context.random.pick(testbed.workers).signal("SIGKILL");
        if (kill % 3 === 0) await testbed.outages.kill();
      }
      await submitted;
      const verdict = await check(testbed, ENDS_WITHIN_MS);
      const { deaths, outages } = testbed;
      verdict.counts.faults = deaths.length + outages.all.length;
      const faults = rateFaults(testbed, await startsOf(store, keysOfQueue.events));
      return { verdict, faults, keys: size.keys, deaths: deaths.length, outages: outages.all.length };
    } finally {
      store.disconnect();
    }
  });
}

function payloadsOf({ keys, jobsEach, injected, failing }: Size, random: Random): LanePayload[] {
  return Array.from({ length: keys * jobsEach }, (_, index) => ({
    lane: `key-${index % keys}`,
    place: Math.floor(index / keys),
    ms: random.between(0, 15),
    failures: random.next() < failing ? 1 : 0,
    ...(index % injected === 1 && { inject: { at: "finish:after", how: "kill" } as const }),
  }));
}

async function submitAll({ client }: Testbed, payloads: readonly LanePayload[]): Promise<void> {
  await inLanes(payloads, TOGETHER, async (payload) => {
    const idempotencyKey = `${payload.lane}/${payload.place}`;
    await client.submit({ type: "rated", idempotencyKey, payload });
  });
}

function rateFaults({ client, witnessed }: Testbed, starts: readonly Start[]): RateFaults {
  const keys = new Map(client.acknowledged.map(({ id, key }) => [id, key]));
  const laneOf = (id: string) => (keys.get(id) ?? "").split("/")[0] ?? "";
  const byLane = [...groupBy(starts, ({ id }) => laneOf(id))].map(
    ([lane, own]) => [lane, mostStartsIn(own, WINDOW_MS)] as const,
  );
  const runs = witnessed().filter(({ key }) => key.startsWith("begin/"));
  const runsOf = groupBy(runs, ({ job, key }) => `${job}/${key.split("/")[1]}`);
  const startsOfJob = groupBy(starts, ({ id }) => keys.get(id) ?? "");
  const unseen = [...runsOf].filter(([key, own]) => own.length > (startsOfJob.get(key)?.length ?? 0));
  const learnt = [...groupBy(runs, ({ job }) => job).values()].map((own) =>
    own.map(({ at }) => ({ id: "", at })).sort((a, b) => a.at - b.at),
  );
  return {
    starts: starts.length,
    most: Math.max(0, ...byLane.map(([, most]) => most)),
    beyond: byLane.filter(([, most]) => most > LIMIT).map(([lane]) => lane),
    unseen: unseen.length,
    atWitness: runs.length,
    mostAtWitness: Math.max(0, ...learnt.map((own) => mostStartsIn(own, WINDOW_MS))),
  };
}

function brokenOf({ most, beyond, unseen }: RateFaults): string[] {
  return [
    ...(beyond.length > 0
      ? [`${beyond.length} keys had up to ${most} starts in a window: ${beyond.slice(0, 5).join(", ")}`]
      : []),
    ...(unseen > 0 ? [`${unseen} jobs ran more often than they were started`] : []),
  ];
}

async function control(context: Context, mutation: Mutation): Promise<Control> {
  return await untilCaught(CONTROL_TRIES, async () => {
    const { faults } = await runRated(context, controlled, mutation);
    return controlOf(mutation.name, brokenOf(faults));
  });
}

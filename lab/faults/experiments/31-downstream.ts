import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../../test/support/random.ts";
import type { Table } from "../../../test/support/report.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { check, type JobRecord, type Verdict } from "../lib/checker.ts";
import type { Submission } from "../lib/client.ts";
import { brokenBy, type Context, type Control, type Experiment, untilCaught } from "../lib/experiment.ts";
import type { CallPayload } from "../lib/inside/contracts.ts";
import {
  type ClientName,
  canMisbehave,
  clients,
  type Fault,
  faults,
  type Move,
} from "../lib/inside/downstream/plan.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutDoubt, withoutOutgoing } from "../lib/mutations.ts";
import { allEnded, LONG_LOCK, type Testbed, withTestbed } from "../lib/testbed.ts";
import type { Step } from "../lib/trace-reader.ts";

/** How many jobs misbehave more than once before the downstream answers. */
const AGAIN_SHARE = 0.3;
const KILL_PAUSE_MS = [300, 1_500] as const;

export const downstream: Experiment = {
  number: 31,
  title: "The downstream misbehaves",
  fault:
    "the service that an effect calls resets, closes, truncates, answers nonsense or errors, is slow, redirects, refuses, or acts and then refuses; real clients send again by themselves; workers are killed",
  mustHold:
    "effects ≤ 1 per key; in doubt exactly if nobody can know; run again if it is proved that nothing happened",
  async run(context) {
    const size = context.isQuick ? { perPair: 0, kills: 2 } : { perPair: 3, kills: 30 };
    const [{ verdict, sentAgain }, ...caught] = await Promise.all([
      misbehave(context, size),
      ...controls.map((control) =>
        untilCaught(CONTROL_TRIES, (time) => controlWithout(context, control, time)),
      ),
    ]);
    const wrong = verdict.jobs.filter(isWrong);
    return {
      counts: verdict.counts,
      table: perFault(verdict.jobs),
      measured: [
        `${clients.join(", ")}: they sent ${sentAgain} orders again by themselves, within one call of the effect`,
      ],
      broken: [
        ...brokenBy(verdict),
        ...wrong.map(
          (job) => `${job.key}: ${job.status?.state}, although it was called so: ${describe(job)}`,
        ),
      ],
      controls: caught,
    };
  },
};

interface Size {
  /** Jobs for each client and fault; 0: one for each fault, with any client. */
  readonly perPair: number;
  readonly kills: number;
}

interface Misbehaved {
  readonly verdict: Verdict;
  readonly sentAgain: number;
}

async function misbehave(context: Context, size: Size): Promise<Misbehaved> {
  return await withTestbed({ workers: 2, concurrency: 16, downstream: true }, async (testbed) => {
    const killing = killWorkers(testbed, context, size.kills);
    await inLanes(callJobs(context.random, pairs(context.random, size)), 16, async (job) => {
      context.say(`${testbed.client.acknowledged.length} jobs, ${testbed.deaths.length} kills`);
      await testbed.client.submit(job);
    });
    await killing;
    await allEnded(testbed, 120_000);
    await untilActed(testbed);
    const verdict = await check(testbed, 120_000);
    verdict.counts.faults = testbed.deaths.length + misbehaviours(verdict.jobs);
    const { sentAgain = 0 } = (await testbed.downstream?.tally()) ?? {};
    return { verdict, sentAgain };
  });
}

/** A protection, and calls that show that it is missing. */
interface DownstreamControl {
  readonly mutation: Mutation;
  readonly pairs: readonly Pair[];
}

const controls: readonly DownstreamControl[] = [
  {
    mutation: withoutDoubt,
    pairs: [
      ["fetch", "answers HTML"],
      ["undici", "fails after"],
      ["node:http", "answers oddly"],
    ],
  },
  {
    mutation: withoutOutgoing,
    pairs: [
      ["fetch, sent again", "acts, then refuses"],
      ["undici RetryAgent", "acts, then refuses"],
      ["fetch", "redirects away"],
    ],
  },
];
const CONTROL_MS = 10_000;
/** A slow downstream lets a client's own time pass, which proves nothing in the mutated build either. */
const CONTROL_TRIES = 3;

async function controlWithout(
  context: Context,
  { mutation, pairs }: DownstreamControl,
  time: number,
): Promise<Control> {
  const random = context.random.fork(`${mutation.name} ${time}`);
  const options = { workers: 1, concurrency: 3, downstream: true, mutation, env: LONG_LOCK };
  return await withTestbed(options, async (testbed) => {
    for (const job of callJobs(random, pairs)) await testbed.client.submit(job);
    await until(() => repeatsOf(testbed) > 0, { withinMs: CONTROL_MS });
    const repeats = repeatsOf(testbed);
    return {
      protection: mutation.name,
      isCaught: repeats > 0,
      seen: `${repeats} effects repeated in ${pairs.length} jobs`,
    };
  });
}

function repeatsOf(testbed: Testbed): number {
  const keys = testbed.witnessed().map(({ key }) => key);
  return keys.length - new Set(keys).size;
}

async function killWorkers({ workers, deaths }: Testbed, { random }: Context, kills: number): Promise<void> {
  for (let kill = 0; kill < kills; kill += 1) {
    await sleep(random.between(...KILL_PAUSE_MS)); // a random moment is the point
    const worker = random.pick(workers);
    await worker.ready();
    const before = deaths.length;
    worker.signal("SIGKILL");
    await until(() => deaths.length > before, { withinMs: 60_000 });
  }
}

/** What a client has given up on may still act. */
async function untilActed({ downstream }: Testbed): Promise<void> {
  await until(async () => (await downstream?.tally())?.pending === 0, { withinMs: 60_000 });
}

type Pair = readonly [ClientName, Fault];

const allPairs: readonly Pair[] = clients.flatMap((client) =>
  faults.filter((fault) => canMisbehave(client, fault)).map((fault) => [client, fault] as const),
);

function pairs(random: Random, { perPair }: Size): readonly Pair[] {
  if (perPair > 0) return Array.from({ length: perPair }, () => allPairs).flat();
  return faults.map((fault) => random.pick(allPairs.filter((pair) => pair[1] === fault)));
}

function callJobs(random: Random, chosen: readonly Pair[]): Submission[] {
  return chosen.map(([client, fault], index) => {
    const possible = faults.filter((each) => canMisbehave(client, each));
    const more = random.next() < AGAIN_SHARE ? [random.pick(possible)] : [];
    const payload: CallPayload = { client, isWarm: random.next() < 0.5, moves: [fault, ...more] };
    return { type: "call", idempotencyKey: `call-${index}`, payload };
  });
}

/** One call of the effect. */
interface Call {
  readonly move: Move;
  /** What its error proved; undefined without one. */
  readonly end: "proved" | "unproved" | "either" | undefined;
}

function callsOf(steps: readonly Step[]): readonly Call[] {
  return steps.flatMap(({ event, detail, life }, index) => {
    if (event !== "calls") return [];
    const later = steps.slice(index + 1).filter((step) => step.life === life);
    const next = later.findIndex((step) => step.event === "calls");
    const own = next === -1 ? later : later.slice(0, next);
    const end = own.map((step) => step.event).find(isEnd);
    return [{ move: detail.replaceAll("_", " ") as Move, end }];
  });
}

function isEnd(event: string): event is "proved" | "unproved" | "either" {
  return event === "proved" || event === "unproved" || event === "either";
}

function isInDoubt({ status }: JobRecord): boolean {
  return status?.error?.code === "EFFECT_IN_DOUBT";
}

/** Nothing may follow a call that proved nothing. */
function isWrong(job: JobRecord): boolean {
  const calls = callsOf(job.steps);
  const unproved = calls.findIndex(({ end }) => end === "unproved");
  return unproved !== -1 && (unproved < calls.length - 1 || !isInDoubt(job));
}

function describe({ steps }: JobRecord): string {
  return callsOf(steps)
    .map(({ move, end }) => `${move} (${end ?? "no error"})`)
    .join(", ");
}

function misbehaviours(jobs: readonly JobRecord[]): number {
  return jobs.flatMap(({ steps }) => callsOf(steps)).filter(({ move }) => move !== "answers").length;
}

function perFault(jobs: readonly JobRecord[]): Table {
  const all = jobs.map((job) => ({ job, calls: callsOf(job.steps) }));
  const rows = faults.map((fault) => {
    const met = all.filter(({ calls }) => calls.some(({ move }) => move === fault));
    const atEnd = met.filter(({ job, calls }) => isInDoubt(job) && calls.at(-1)?.move === fault);
    const done = atEnd.filter(({ job }) => job.witnessed > 0).length;
    const ranAgain = met.filter(
      ({ calls }) => calls.findIndex(({ move }) => move === fault) < calls.length - 1,
    );
    const twice = met.filter(({ job }) => job.witnessed > 1).length;
    const needless = atEnd.filter(({ calls }) => calls.at(-1)?.end === "proved").length;
    return [fault, met.length, twice, done, atEnd.length - done, needless, ranAgain.length];
  });
  return {
    head: [
      "the downstream",
      "N",
      "acted twice",
      "in doubt, was done",
      "in doubt, was not",
      "needlessly",
      "ran again",
    ],
    rows,
  };
}

import { setTimeout as sleep } from "node:timers/promises";
import type { Table } from "../../../test/support/report.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { check, type JobRecord, type Verdict } from "../lib/checker.ts";
import type { Submission } from "../lib/client.ts";
import { brokenBy, type Context, type Control, type Experiment, untilCaught } from "../lib/experiment.ts";
import type { SeveralPayload } from "../lib/inside/contracts.ts";
import { orders, refusals, type Way, wayNames } from "../lib/inside/several/plan.ts";
import { withoutAgreement } from "../lib/mutations.ts";
import { allEnded, LONG_LOCK, type Testbed, withTestbed } from "../lib/testbed.ts";
import type { WitnessedEffect } from "../lib/witness.ts";

const KILL_PAUSE_MS = [300, 1_500] as const;

export const severalActs: Experiment = {
  number: 46,
  title: "An effect that does several things",
  fault:
    "an effect acts, and beside, before or after that is refused something else: with real clients, in other contexts, over clients that are shared and busy, over HTTP/2, UDP, child processes and threads; its classifiers call the refusal proof; workers are killed",
  mustHold: "effects ≤ 1 per key; each of them in doubt, and never run again once it has acted",
  async run(context) {
    const size = context.isQuick ? { perWay: 1, kills: 1 } : { perWay: 6, kills: 30 };
    const [{ verdict, acted }, control] = await Promise.all([
      actTwice(context, size),
      untilCaught(CONTROL_TRIES, () => withoutTheRule()),
    ]);
    const wrong = verdict.jobs.filter((job) => !isInDoubt(job) || actedBefore(job, acted));
    return {
      counts: verdict.counts,
      table: perWay(verdict.jobs),
      measured: [],
      broken: [
        ...brokenBy(verdict),
        ...wrong.map((job) => `${job.key}: ${job.status?.state} after ${callsOf(job)} calls of its effect`),
      ],
      controls: [control],
    };
  },
};

interface Size {
  /** Jobs for each way, order and refusal; in the short form one refusal of each. */
  readonly perWay: number;
  readonly kills: number;
}

async function actTwice(
  context: Context,
  { perWay, kills }: Size,
): Promise<{ readonly verdict: Verdict; readonly acted: readonly WitnessedEffect[] }> {
  const options = { workers: 2, concurrency: 16, downstream: true, env: LONG_LOCK };
  return await withTestbed(options, async (testbed) => {
    const killing = killWorkers(testbed, context, kills);
    await inLanes(jobsOf(context, perWay), 16, async (job) => {
      context.say(`${testbed.client.acknowledged.length} jobs, ${testbed.deaths.length} kills`);
      await testbed.client.submit(job);
    });
    await killing;
    await allEnded(testbed, 120_000);
    await until(async () => (await testbed.downstream?.tally())?.pending === 0, { withinMs: 60_000 });
    const verdict = await check(testbed, 120_000);
    verdict.counts.faults = testbed.deaths.length + verdict.jobs.length;
    return { verdict, acted: testbed.witnessed() };
  });
}

/**
 * Whether an earlier call has acted than the last one. A client that gives up before it has sent anything, as on a busy machine one that
 * waits for a mail server's greeting, proves that its call has not.
 */
function actedBefore({ key, steps }: JobRecord, acted: readonly WitnessedEffect[]): boolean {
  const lastAt = steps.filter(({ event }) => event === "calls").at(-1)?.at ?? 0;
  return acted.some(({ job, at }) => job === key && at < lastAt);
}

function jobsOf({ random, isQuick }: Context, perWay: number): Submission[] {
  const payloads: SeveralPayload[] = wayNames.flatMap((way) =>
    orders.flatMap((order) => {
      const chosen = isQuick ? [random.pick(refusals)] : refusals;
      return chosen.map((refusal) => ({ way, order, refusal }));
    }),
  );
  return Array.from({ length: perWay }, () => payloads)
    .flat()
    .map((payload, index) => ({ type: "several", idempotencyKey: `several-${index}`, payload }));
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

/** What the record does not show at all, so that the classifiers alone decide. */
const unseenWays: readonly Way[] = ["UDP", "worker thread", "node:http agent"];
const CONTROL_MS = 10_000;
/** A slow machine lets the act fail before the other call. */
const CONTROL_TRIES = 3;

async function withoutTheRule(): Promise<Control> {
  const options = {
    workers: 1,
    concurrency: 3,
    downstream: true,
    mutation: withoutAgreement,
    env: LONG_LOCK,
  };
  return await withTestbed(options, async (testbed) => {
    for (const way of unseenWays) {
      const payload: SeveralPayload = { way, order: "beside", refusal: "402" };
      await testbed.client.submit({ type: "several", idempotencyKey: way, payload });
    }
    await until(() => repeatsOf(testbed) > 0, { withinMs: CONTROL_MS });
    const repeats = repeatsOf(testbed);
    return {
      protection: withoutAgreement.name,
      isCaught: repeats > 0,
      seen: `${repeats} effects repeated in ${unseenWays.length} jobs`,
    };
  });
}

function repeatsOf(testbed: Testbed): number {
  const keys = testbed.witnessed().map(({ key }) => key);
  return keys.length - new Set(keys).size;
}

function callsOf({ steps }: JobRecord): number {
  return steps.filter(({ event }) => event === "calls").length;
}

function isInDoubt({ status }: JobRecord): boolean {
  return status?.error?.code === "EFFECT_IN_DOUBT";
}

function perWay(jobs: readonly JobRecord[]): Table {
  const wayOf = ({ steps }: JobRecord) => steps.find(({ event }) => event === "calls")?.detail;
  const rows = wayNames.map((way) => {
    const own = jobs.filter((job) => wayOf(job) === way.replaceAll(" ", "_"));
    const acted = own.filter(({ witnessed }) => witnessed > 0);
    const twice = own.filter(({ witnessed }) => witnessed > 1);
    return [way, own.length, twice.length, acted.length, own.filter(isInDoubt).length];
  });
  return { head: ["acts by", "N", "acted twice", "acted", "in doubt"], rows };
}

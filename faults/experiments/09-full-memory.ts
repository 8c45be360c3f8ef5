import { Redis } from "ioredis";
import { actJob } from "../lib/act-jobs.ts";
import { type Bench, type BenchOptions, withBench } from "../lib/bench.ts";
import { check, isGivenUp, type Verdict } from "../lib/checker.ts";
import { apiDoor } from "../lib/client.ts";
import { brokenBy, type Context, type Control, type Experiment, sum } from "../lib/experiment.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutAdmission, withoutRoomForCommits } from "../lib/mutations.ts";
import { inLanes, until } from "../lib/waiting.ts";

export const fullMemory: Experiment = {
  number: 9,
  title: "Redis's memory is full",
  fault:
    "`maxmemory` is so low that jobs fill it while others run; and, in the middle of effects, below what is " +
    "used already, so that Redis refuses every write",
  mustHold:
    "new jobs are refused as STORE_FULL, accepted ones finish meanwhile; what is done is recorded; " +
    "nothing repeated; once there is room again everything resumes by itself",
  async run(context) {
    const times = context.isQuick ? 1 : 8;
    const filled: Filled[] = [];
    const cutShort: Verdict[] = [];
    for (let time = 0; time < times; time += 1) {
      context.say(`${time + 1} of ${times}: filled with jobs`);
      filled.push(await fillWithJobs(context));
      context.say(`${time + 1} of ${times}: no writes at all`);
      cutShort.push(await refuseAllWrites(context));
    }
    const unknown = cutShort.map(notDone).reduce((total, count) => total + count, 0);
    return {
      counts: sum([...filled.map(({ verdict }) => verdict.counts), ...cutShort.map(({ counts }) => counts)]),
      table: {
        head: [
          "accepted until full",
          "running or waiting then",
          "ended while full",
          "writes refused meanwhile",
          "started twice",
          "answer to another job",
        ],
        rows: filled.map(row),
      },
      measured: [
        `every write refused, in the middle of effects: ${sum(cutShort.map(({ counts }) => counts)).acknowledged} effects ended then, ` +
          `${unknown} of them not recorded as done, none repeated`,
      ],
      broken: [
        ...filled.flatMap(brokenIn),
        ...cutShort.flatMap(brokenBy),
        ...(unknown > 0 ? [`${unknown} effects had ended and were not recorded as done`] : []),
      ],
      controls: [await admissionControl(context), await commitControl(context)],
    };
  },
};

/** So much more than what it holds the store may use; beyond a part of it no new jobs are taken. */
const ROOM_BYTES = 3 * 1_048_576;
const RUNNING = 40;
/** So long that the last of them begin when the memory is full already. */
const EFFECT_MS = 800;
/**
 * Renewing locks is a write, too. These last for an effect, so that what is seen is what becomes of its commit; and on a
 * busy machine a shorter lock could be lost by itself.
 */
const LOCK_MS = "5000";

interface Filled {
  readonly verdict: Verdict;
  readonly accepted: number;
  readonly endedWhileFull: number;
  /** Writes that the store refused for want of memory: admission is to leave enough for those that run. */
  readonly refusedWrites: number;
  readonly begunTwice: number;
  readonly answer: string;
}

/** Jobs run while others, which do not run yet, fill the memory. */
async function fillWithJobs(context: Context, options: Partial<BenchOptions> = {}): Promise<Filled> {
  const size = { workers: 2, concurrency: 4, api: true, env: { HOLDFAST_LOCK_MS: LOCK_MS } };
  return await withBench({ ...size, ...options }, async (bench) => {
    await submitSlow(bench, context);
    const hand = new Redis(bench.store.url);
    try {
      await limitMemory(hand, ROOM_BYTES);
      const { accepted, answer } = await fillUp(bench);
      const refusedBefore = await refusedWrites(hand);
      const endedWhileFull = await countEnded(bench, WHILE_FULL_MS);
      const refused = (await refusedWrites(hand)) - refusedBefore;
      await hand.config("SET", "maxmemory", "0");
      await bench.client.submit(actJob("afterwards", context.random), apiDoorOf(bench));
      const verdict = await check(bench, 60_000);
      verdict.counts.faults = 1;
      const begunTwice = verdict.jobs.filter(
        ({ steps }) => steps.filter(({ event }) => event === "begun").length > 1,
      );
      return {
        verdict,
        accepted,
        endedWhileFull,
        refusedWrites: refused,
        begunTwice: begunTwice.length,
        answer,
      };
    } finally {
      hand.disconnect();
    }
  });
}

const WHILE_FULL_MS = 10_000;

async function submitSlow({ client }: Bench, { random }: Context): Promise<void> {
  for (let index = 0; index < RUNNING; index += 1) {
    const { payload, ...job } = actJob(`running-${index}`, random);
    await client.submit({ ...job, payload: { ...payload, beforeMs: EFFECT_MS } });
  }
}

/** @param moreBytes than the store uses now; below zero it takes no writes */
async function limitMemory(hand: Redis, moreBytes: number): Promise<void> {
  const [, used = "0"] = /used_memory:(\d+)/.exec(await hand.info("memory")) ?? [];
  await hand.config("SET", "maxmemory", String(Math.max(1, Number(used) + moreBytes)));
}

const LANES = 4;
const BATCH = 50;
const HOUR_MS = 3_600_000;

/** Submits jobs that wait until none is taken any more. @returns how many were, and what the API said then */
async function fillUp({ api }: Bench): Promise<{ accepted: number; answer: string }> {
  const { url = "" } = (await api?.ready()) ?? {};
  let accepted = 0;
  let answer = "";
  const batches = (function* () {
    for (let index = 0; answer === ""; index += 1) yield index;
  })();
  await inLanes(batches, LANES, async (batch) => {
    const response = await fetch(`${url}/jobs/batch`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        jobs: Array.from({ length: BATCH }, (_, index) => filler(`${batch}-${index}`)),
      }),
    });
    const { results } = (await response.json()) as { results: { status: number; code?: string }[] };
    accepted += results.filter(({ status }) => status === 202).length;
    const refused = results.find(({ status }) => status !== 202);
    if (refused !== undefined) answer = `${refused.status} ${refused.code}`;
  });
  return { accepted, answer };
}

function filler(key: string) {
  return {
    type: "bystander",
    payload: { ms: 0 },
    idempotencyKey: `filler-${key}`,
    options: { delayMs: HOUR_MS },
  };
}

function apiDoorOf({ api }: Bench) {
  return apiDoor(async () => (await api?.ready())?.url ?? "");
}

async function refusedWrites(hand: Redis): Promise<number> {
  const [, count = "0"] = /errorstat_OOM:count=(\d+)/.exec(await hand.info("errorstats")) ?? [];
  return Number(count);
}

async function countEnded({ client }: Bench, withinMs: number): Promise<number> {
  const ended = async () => {
    const statuses = await Promise.all(client.acknowledged.map(({ id }) => client.status(id)));
    return statuses.filter((status) => status?.state === "completed" || status?.state === "failed").length;
  };
  await until(async () => (await ended()) === client.acknowledged.length, { withinMs, everyMs: 200 });
  return await ended();
}

function row({ accepted, endedWhileFull, refusedWrites, begunTwice, answer }: Filled): (string | number)[] {
  return [accepted, RUNNING, endedWhileFull, refusedWrites, begunTwice, answer];
}

function brokenIn({ verdict, endedWhileFull, refusedWrites, begunTwice, answer }: Filled): string[] {
  return [
    ...brokenBy(verdict),
    ...(answer === "503 STORE_FULL" ? [] : [`more jobs were answered ${answer}`]),
    ...(endedWhileFull < RUNNING
      ? [`only ${endedWhileFull} of ${RUNNING} jobs ended while the store was full`]
      : []),
    ...(refusedWrites > 0 ? [`the store refused ${refusedWrites} writes of jobs that ran`] : []),
    ...(begunTwice > 0 ? [`${begunTwice} jobs were started twice`] : []),
  ];
}

/** In the middle of effects the store takes no writes any more: that an effect is done is written down all the same. */
async function refuseAllWrites(context: Context, cut?: Mutation): Promise<Verdict> {
  const size = { workers: 2, concurrency: RUNNING / 2, env: { HOLDFAST_LOCK_MS: LOCK_MS } };
  return await withBench({ ...size, ...(cut && { cut }) }, async (bench) => {
    await submitSlow(bench, context);
    const begun = () => bench.trace.read().filter(({ event }) => event === "effect:begun").length;
    await until(() => begun() === RUNNING, { withinMs: 20_000, everyMs: 10 });
    const hand = new Redis(bench.store.url);
    try {
      await bench.troubled(async () => {
        await limitMemory(hand, -1_048_576);
        // Their commits are on the way then; BullMQ's completion behind each is refused.
        await until(() => finished(bench) === RUNNING, { withinMs: 5_000 });
        await hand.config("SET", "maxmemory", "0");
      });
    } finally {
      hand.disconnect();
    }
    const verdict = await check(bench, 60_000);
    verdict.counts.faults = 1;
    return verdict;
  });
}

function finished({ trace }: Bench): number {
  const steps = trace.read().filter(({ event }) => event === "finish:before");
  return new Set(steps.map(({ jobId }) => jobId)).size;
}

/**
 * Effects that the store does not know to be done; without those that ran out of their own time, on a busy machine.
 *
 * BullMQ asks for a job's completion again until it is taken; so without the commit a job can be completed, and its effect
 * nothing but reserved.
 */
function notDone({ jobs }: Verdict): number {
  const unknown = jobs.filter(({ status }) => status?.effects.some(({ state }) => state !== "done"));
  return unknown.filter(({ steps }) => !steps.some(isGivenUp)).length;
}

async function admissionControl(context: Context): Promise<Control> {
  context.say("control: without admission control");
  const { endedWhileFull, refusedWrites } = await fillWithJobs(context, { cut: withoutAdmission });
  return {
    protection: "admission control",
    isCaught: endedWhileFull < RUNNING || refusedWrites > 0,
    seen: `${endedWhileFull} of ${RUNNING} jobs finished while Redis was full, ${refusedWrites} of their writes refused`,
  };
}

async function commitControl(context: Context): Promise<Control> {
  context.say("control: without room for commits");
  const unknown = notDone(await refuseAllWrites(context, withoutRoomForCommits));
  return {
    protection: "the commit that a full Redis accepts",
    isCaught: unknown > 0,
    seen: `${unknown} of ${RUNNING} effects not recorded as done`,
  };
}

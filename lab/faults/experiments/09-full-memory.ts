import { Redis } from "ioredis";
import { inLanes, until } from "../../lib/waiting.ts";
import { actJob } from "../lib/act-jobs.ts";
import { check, isGivenUp, isStartedTwice, type Verdict } from "../lib/checker.ts";
import { apiSubmitter } from "../lib/client.ts";
import {
  brokenBy,
  type Context,
  type Control,
  type Experiment,
  sum,
  untilCaught,
} from "../lib/experiment.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutAdmission, withoutRoomForCommits } from "../lib/mutations.ts";
import { LONG_LOCK, type Testbed, type TestbedOptions, withTestbed } from "../lib/testbed.ts";
import type { Step } from "../lib/trace-reader.ts";

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
    const refused: Verdict[] = [];
    for (let time = 0; time < times; time += 1) {
      context.say(`${time + 1} of ${times}: full of jobs`);
      filled.push(await fillWithJobs(context));
      context.say(`${time + 1} of ${times}: all writes refused`);
      refused.push(await refuseAllWrites(context));
    }
    const unknown = refused.map(notDone).reduce((total, count) => total + count, 0);
    return {
      counts: sum([...filled.map(({ verdict }) => verdict.counts), ...refused.map(({ counts }) => counts)]),
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
        `every write refused, in the middle of effects: ${sum(refused.map(({ counts }) => counts)).acknowledged} effects ended then, ` +
          `${unknown} of them not recorded as done, none repeated`,
      ],
      broken: [
        ...filled.flatMap(brokenIn),
        ...refused.flatMap(brokenBy),
        ...(unknown > 0 ? [`${unknown} effects had ended and were not recorded as done`] : []),
      ],
      controls: [await admissionControl(context), await commitControl(context)],
    };
  },
};

/** How much new jobs may use. Admission leaves a quarter of so small a memory for jobs that run. */
const ADMITTED_BYTES = 0.5 * 1_048_576;
const ADMITTED_SHARE = 3 / 4;
/** Memory that is used already, so that jobs fill the rest sooner than the first of them end, also on a slow machine. */
const BALLAST_BYTES = 2 * 1_048_576;
const RUNNING = 40;
/** The last of them begin when the memory is full already. */
const EFFECT_MS = 800;

interface Filled {
  readonly verdict: Verdict;
  readonly accepted: number;
  readonly endedWhileFull: number;
  /** Whether a job that had run could not be completed. */
  readonly isBlocked: boolean;
  /** Writes that Redis refused for lack of memory. Admission must leave enough for running jobs. */
  readonly refusedWrites: number;
  readonly begunTwice: number;
  readonly answer: string;
}

/** Fills the memory with waiting jobs while other jobs run. */
async function fillWithJobs(context: Context, options: Partial<TestbedOptions> = {}): Promise<Filled> {
  const size = { workers: 2, concurrency: 4, api: true, env: LONG_LOCK };
  return await withTestbed({ ...size, ...options }, async (testbed) => {
    await submitSlow(testbed, context, testbed.isControl ? CONTROL_RUNNING : RUNNING);
    const redis = new Redis(testbed.store.url);
    try {
      await redis.set("ballast", "x".repeat(BALLAST_BYTES));
      // Without admission control jobs fill the rest, too.
      const share = options.mutation === undefined ? ADMITTED_SHARE : 1;
      await limitMemory(redis, (used) => (used + ADMITTED_BYTES) / share);
      const { accepted, answer } = await fillUp(testbed);
      const refusedBefore = await refusedWrites(redis);
      const pressure = options.mutation === undefined ? undefined : keepFull(testbed);
      const endedWhileFull = await countEnded(testbed);
      const blocked = isBlocked(testbed);
      await pressure?.stop();
      const refused = (await refusedWrites(redis)) - refusedBefore;
      await redis.config("SET", "maxmemory", "0");
      await testbed.client.submit(actJob("afterwards", context.random), apiSubmitterOf(testbed));
      const verdict = await check(testbed, testbed.isControl ? 0 : 120_000);
      verdict.counts.faults = 1;
      const begunTwice = verdict.jobs.filter(isStartedTwice);
      return {
        verdict,
        accepted,
        endedWhileFull,
        isBlocked: blocked,
        refusedWrites: refused,
        begunTwice: begunTwice.length,
        answer,
      };
    } finally {
      redis.disconnect();
    }
  });
}

const ENDED_WITHIN_MS = 60_000;
/** Longer than a worker on a slow machine needs from the end of a job to Redis's answer. */
const BLOCKED_AFTER_MS = 4_000;

async function submitSlow({ client }: Testbed, { random }: Context, count: number): Promise<void> {
  const jobs = Array.from({ length: count }, (_, index) => actJob(`running-${index}`, random));
  // All at once: on a slow machine the first would otherwise end before the last is submitted.
  await inLanes(jobs, count, async ({ payload, ...job }) => {
    await client.submit({ ...job, payload: { ...payload, beforeMs: EFFECT_MS } });
  });
}

/** @param limitOf gets what Redis uses now, in bytes; below that it takes no writes */
async function limitMemory(redis: Redis, limitOf: (used: number) => number): Promise<void> {
  const [, used = "0"] = /used_memory:(\d+)/.exec(await redis.info("memory")) ?? [];
  await redis.config("SET", "maxmemory", String(Math.max(1, Math.round(limitOf(Number(used))))));
}

const LANES = 4;
const BATCH = 50;
const HOUR_MS = 3_600_000;

/** Submits jobs until Redis is full. @returns the number of accepted jobs, and the refusal */
async function fillUp({ api }: Testbed): Promise<{ accepted: number; answer: string }> {
  const { url = "" } = (await api?.ready()) ?? {};
  let accepted = 0;
  let answer = "";
  const batches = (function* () {
    for (let index = 0; answer === ""; index += 1) yield index;
  })();
  await inLanes(batches, LANES, async (batch) => {
    const results = await submitBatch(url, String(batch));
    accepted += results.filter(({ status }) => status === 202).length;
    const refused = results.find(({ code }) => code !== undefined);
    if (refused !== undefined) answer = `${refused.status} ${refused.code}`;
  });
  return { accepted, answer };
}

/** Goes on submitting, where nothing else keeps Redis full: it frees some memory, such as buffers, as soon as nobody does. */
function keepFull({ api }: Testbed) {
  let isOver = false;
  const submitting = (async () => {
    const { url = "" } = (await api?.ready()) ?? {};
    for (let batch = 0; !isOver; batch += 1) await submitBatch(url, `more-${batch}`);
  })();
  return {
    async stop() {
      isOver = true;
      await submitting;
    },
  };
}

interface BatchAnswer {
  readonly status: number;
  readonly code?: string;
}

/** Repeats what a slow Redis did not answer. */
async function submitBatch(url: string, name: string): Promise<readonly BatchAnswer[]> {
  const jobs = Array.from({ length: BATCH }, (_, index) => filler(`${name}-${index}`));
  const send = async () => {
    const response = await fetch(`${url}/jobs/batch`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ jobs }),
    });
    const answer = (await response.json()) as BatchAnswer & { results?: readonly BatchAnswer[] };
    const { results = [answer] } = answer;
    return !results.some(({ code }) => code === "STORE_UNAVAILABLE") && results;
  };
  const results = await until(send, { withinMs: ANSWERED_WITHIN_MS });
  if (results === undefined) throw new Error("The API answers no batch");
  return results;
}

const ANSWERED_WITHIN_MS = 60_000;

function filler(key: string) {
  return {
    type: "bystander",
    payload: { ms: 0 },
    idempotencyKey: `filler-${key}`,
    options: { delayMs: HOUR_MS },
  };
}

function apiSubmitterOf({ api }: Testbed) {
  return apiSubmitter(async () => (await api?.ready())?.url ?? "");
}

async function refusedWrites(redis: Redis): Promise<number> {
  const [, count = "0"] = /errorstat_OOM:count=(\d+)/.exec(await redis.info("errorstats")) ?? [];
  return Number(count);
}

/** Waits until all jobs have ended or, without a protection, one of them cannot. */
async function countEnded(testbed: Testbed): Promise<number> {
  const { client } = testbed;
  const ended = async () => {
    const statuses = await Promise.all(client.acknowledged.map(({ id }) => client.status(id)));
    return statuses.filter((status) => status?.state === "completed" || status?.state === "failed").length;
  };
  const isDecided = async () =>
    (await ended()) === client.acknowledged.length || (testbed.isControl && isBlocked(testbed));
  await until(isDecided, { withinMs: ENDED_WITHIN_MS, everyMs: 200 });
  return await ended();
}

/** Whether a job has run and its completion was not accepted since. */
function isBlocked({ trace }: Testbed): boolean {
  const steps = trace.read();
  const completed = new Set(steps.filter(({ event }) => event === "finish:after").map(({ jobId }) => jobId));
  const cannot = ({ event, jobId, at }: Step) =>
    event === "finish:before" && !completed.has(jobId) && Date.now() - at > BLOCKED_AFTER_MS;
  return steps.some(cannot);
}

function row({ accepted, endedWhileFull, refusedWrites, begunTwice, answer }: Filled): (string | number)[] {
  return [accepted, RUNNING, endedWhileFull, refusedWrites, begunTwice, answer];
}

function brokenIn({
  verdict,
  accepted,
  endedWhileFull,
  refusedWrites,
  begunTwice,
  answer,
}: Filled): string[] {
  return [
    ...brokenBy(verdict),
    ...(answer === "503 STORE_FULL" ? [] : [`more jobs were answered ${answer}`]),
    ...(endedWhileFull < RUNNING
      ? [`only ${endedWhileFull} of ${RUNNING} jobs ended while Redis was full`]
      : []),
    ...(accepted > 0 ? [] : ["no job was accepted before Redis was full"]),
    ...(refusedWrites > 0 ? [`Redis refused ${refusedWrites} writes of jobs that ran`] : []),
    ...(begunTwice > 0 ? [`${begunTwice} jobs were started twice`] : []),
  ];
}

/**
 * Redis refuses all writes in the middle of effects; their commits must still succeed. Renewing a lock is a write, too: the lock
 * lasts longer, so that only the commit is tested.
 */
async function refuseAllWrites(context: Context, mutation?: Mutation): Promise<Verdict> {
  const size = { workers: 2, concurrency: RUNNING / 2, env: LONG_LOCK };
  return await withTestbed({ ...size, ...(mutation && { mutation }) }, async (testbed) => {
    await submitSlow(testbed, context, RUNNING);
    const begun = () => testbed.trace.read().filter(({ event }) => event === "effect:begun").length;
    await until(() => begun() === RUNNING, { withinMs: 60_000, everyMs: 10 });
    const redis = new Redis(testbed.store.url);
    try {
      await testbed.outages.during(async () => {
        await limitMemory(redis, (used) => used - 1_048_576);
        // By then the commits were sent; BullMQ's completion after each is refused.
        await until(() => finished(testbed) === RUNNING, { withinMs: 5_000 });
        await redis.config("SET", "maxmemory", "0");
      });
    } finally {
      redis.disconnect();
    }
    const verdict = await check(testbed, 120_000);
    verdict.counts.faults = 1;
    return verdict;
  });
}

function finished({ trace }: Testbed): number {
  const steps = trace.read().filter(({ event }) => event === "finish:before");
  return new Set(steps.map(({ jobId }) => jobId)).size;
}

/**
 * Effects that are not recorded as done, without those that timed out.
 *
 * BullMQ retries a refused completion, so without the commit a job could complete with a reserved effect.
 */
function notDone({ jobs }: Verdict): number {
  const unknown = jobs.filter(({ status }) => status?.effects.some(({ state }) => state !== "done"));
  return unknown.filter(({ steps }) => !steps.some(isGivenUp)).length;
}

/** So many that a slow machine, too, has filled the memory before the last of them ends. */
const CONTROL_RUNNING = 200;
const CONTROL_TRIES = 5;

async function admissionControl(context: Context): Promise<Control> {
  context.say("control: without admission control");
  return await untilCaught(CONTROL_TRIES, async () => {
    const { endedWhileFull, isBlocked } = await fillWithJobs(context, { mutation: withoutAdmission });
    return {
      protection: "admission control",
      isCaught: isBlocked,
      seen: `${endedWhileFull} of ${CONTROL_RUNNING} jobs finished while Redis was full${isBlocked ? ", and the completion of another was refused" : ""}`,
    };
  });
}

async function commitControl(context: Context): Promise<Control> {
  context.say("control: without room for commits");
  return await untilCaught(CONTROL_TRIES, async () => {
    const unknown = notDone(await refuseAllWrites(context, withoutRoomForCommits));
    return {
      protection: "the commit that a full Redis accepts",
      isCaught: unknown > 0,
      seen: `${unknown} of ${RUNNING} effects not recorded as done`,
    };
  });
}

import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { inLanes } from "../../lib/waiting.ts";
import { librarySubmitter, type Submission, type Submitter } from "./client.ts";
import type { Context } from "./experiment.ts";
import type { ActPayload } from "./inside/contracts.ts";
import { patiently } from "./inside/patiently.ts";
import type { Testbed } from "./testbed.ts";

/** Clients that submit jobs at a steady pace, each with the same key until it gets an answer. */
export interface Load {
  /** Resolves when each client has its answer, and some keys were sent again. */
  end(): Promise<Seen>;
  /** Gives up on all answers. Safe to call after `end()`. */
  abandon(): Promise<void>;
}

/** What clients saw. */
export interface Seen {
  readonly unanswered: number;
  /** Milliseconds until the slowest submission was answered, without what this process was late itself. */
  readonly slowestMs: number;
  readonly longestGapMs: number;
  readonly changedIds: number;
}

const LANES = 10;
const PAUSE_MS = 60;
const SENT_AGAIN_MAX = 200;

export async function startLoad(testbed: Testbed, { random }: Context, name: string): Promise<Load> {
  const library = await testbed.installation.library();
  const producer = await library.createProducer(library.application, {
    ...testbed.env,
    REDIS_URL: testbed.store.url,
  });
  const timed = timedSubmitter(librarySubmitter(producer, library));
  const { client } = testbed;
  const accepted: { readonly job: Submission; readonly id: string; readonly at: number }[] = [];
  let isOver = false;
  const jobs = (function* () {
    for (let index = 0; !isOver; index += 1) {
      const payload: ActPayload = { beforeMs: random.between(0, 100), afterMs: random.between(0, 100) };
      yield { type: "act", idempotencyKey: `${name}-${index}`, payload } satisfies Submission;
    }
  })();
  const load = inLanes(jobs, LANES, async (job) => {
    const { id, at } = (await client.submit(job, timed.submit)) ?? {};
    if (id !== undefined && at !== undefined) accepted.push({ job, id, at });
    await sleep(PAUSE_MS);
  });
  load.catch(() => {});

  return {
    async end() {
      isOver = true;
      await load;
      const { unanswered } = client;
      const slowestMs = timed.slowestMs();
      let changedIds = 0;
      const chosen = Array.from({ length: SENT_AGAIN_MAX }, () => random.pick(accepted));
      await inLanes(chosen, LANES, async ({ job, id }) => {
        if ((await patiently(() => timed.submit(job))).id !== id) changedIds += 1;
      });
      return { unanswered, slowestMs, longestGapMs: longestGap(accepted.map(({ at }) => at)), changedIds };
    },
    async abandon() {
      isOver = true;
      timed.refuse();
      await load.catch(() => {});
      await producer.stop();
    },
  };
}

function longestGap(instants: readonly number[]): number {
  const sorted = [...instants].sort((a, b) => a - b);
  return Math.max(0, ...sorted.map((at, index) => at - (sorted[index - 1] ?? at)));
}

const TICK_MS = 20;

/** Adds up what this process is late: one call can be hit by several delays. */
function watchLateness() {
  let total = 0;
  let lastAt = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    total += Math.max(0, now - lastAt - 2 * TICK_MS);
    lastAt = now;
  }, TICK_MS).unref();
  return { totalMs: () => total, stop: () => clearInterval(timer) };
}

function timedSubmitter(submitter: Submitter) {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const lateness = watchLateness();
  let slowest = 0;
  let slowestInTime = 0;
  let isRefusing = false;
  return {
    submit: (async (submission) => {
      if (isRefusing) throw Object.assign(new Error("The load was abandoned"), { retryable: false });
      const begun = performance.now();
      const lateBefore = lateness.totalMs();
      try {
        return await submitter(submission);
      } finally {
        const ms = performance.now() - begun;
        slowest = Math.max(slowest, ms);
        slowestInTime = Math.max(slowestInTime, ms - (lateness.totalMs() - lateBefore));
      }
    }) satisfies Submitter,
    slowestMs: () => Math.max(0, Math.min(slowest - delay.max / 1e6, slowestInTime)),
    /** From now on nothing is submitted. */
    refuse() {
      isRefusing = true;
      delay.disable();
      lateness.stop();
    },
  };
}

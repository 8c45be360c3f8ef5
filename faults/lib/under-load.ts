import { setTimeout as sleep } from "node:timers/promises";
import { check, type Verdict } from "./checker.ts";
import { librarySubmitter, type Submission, type Submitter } from "./client.ts";
import { brokenBy, type Context, type Control, type Outcome, sum } from "./experiment.ts";
import type { ActPayload } from "./inside/application.ts";
import { type Testbed, type TestbedOptions, withTestbed } from "./testbed.ts";
import { inLanes } from "./waiting.ts";

/** What happened while clients submitted, workers ran, and one kind of fault was injected again and again. */
export interface Trial {
  readonly name: string;
  readonly verdict: Verdict;
  /** Submissions without an answer; each was repeated with its key. */
  readonly unanswered: number;
  /** Milliseconds until the slowest call was answered. */
  readonly slowestMs: number;
  /** Milliseconds from each fault to the next acknowledgement. */
  readonly recoveries: readonly number[];
}

export interface Disturbance {
  readonly name: string;
  readonly times: number;
  /** Injects one fault; resolves when its servers are whole again. */
  inject(testbed: Testbed): Promise<void>;
}

const LANES = 10;
const PAUSE_MS = 60;
const BETWEEN_MS = 700;
const ENDED_WITHIN_MS = 90_000;
const SIZE = { workers: 2, concurrency: 12 };

/** @param options where the testbed differs from two workers */
export async function underLoad(
  context: Context,
  { name, times, inject }: Disturbance,
  options: Partial<TestbedOptions>,
): Promise<Trial> {
  return await withTestbed({ ...SIZE, ...options }, async (testbed) => {
    const load = await startLoad(testbed, context, name);
    for (let time = 0; time < times; time += 1) {
      await sleep(BETWEEN_MS);
      context.say(
        `${name}, ${time + 1} of ${times}, ${testbed.client.acknowledged.length} jobs acknowledged`,
      );
      await testbed.outages.during(() => inject(testbed));
    }
    await sleep(BETWEEN_MS);
    await load.stop();
    const verdict = await check(testbed, ENDED_WITHIN_MS);
    verdict.counts.faults = times;
    const { acknowledged, unanswered } = testbed.client;
    const recoveries = testbed.outages.all.flatMap(({ from, to }) => {
      // The last acknowledgement before a gap, or the fault itself.
      const gaps = acknowledged.filter(({ at }) => at >= from && at <= to + 5_000);
      return longestGap([from, ...gaps.map(({ at }) => at)]);
    });
    return { name, verdict, unanswered, slowestMs: load.slowestMs(), recoveries };
  });
}

function longestGap(instants: readonly number[]): number {
  const sorted = [...instants].sort((a, b) => a - b);
  return Math.max(0, ...sorted.map((at, index) => at - (sorted[index - 1] ?? at)));
}

export interface Load {
  /** Resolves when each client has its answer. */
  stop(): Promise<void>;
  slowestMs(): number;
}

/** Clients that submit jobs at a steady pace, each with the same key until it gets an answer. */
export async function startLoad(testbed: Testbed, { random }: Context, name: string): Promise<Load> {
  const library = await testbed.installation.library();
  const producer = await library.createProducer(library.application, {
    ...testbed.env,
    REDIS_URL: testbed.store.url,
  });
  const timed = timedSubmitter(librarySubmitter(producer, library));
  let isOver = false;
  const keys = (function* () {
    for (let index = 0; !isOver; index += 1) yield `${name}-${index}`;
  })();
  const load = inLanes(keys, LANES, async (key) => {
    const payload: ActPayload = { beforeMs: random.between(0, 100), afterMs: random.between(0, 100) };
    const job: Submission = { type: "act", idempotencyKey: key, payload };
    await testbed.client.submit(job, timed.submit);
    await sleep(PAUSE_MS);
  });
  return {
    async stop() {
      isOver = true;
      await load;
      await producer.stop();
    },
    slowestMs: timed.slowestMs,
  };
}

export function timedSubmitter(submitter: Submitter): { submit: Submitter; slowestMs(): number } {
  let slowest = 0;
  return {
    async submit(submission) {
      const begun = performance.now();
      try {
        return await submitter(submission);
      } finally {
        slowest = Math.max(slowest, performance.now() - begun);
      }
    },
    slowestMs: () => slowest,
  };
}

const ANSWERED_WITHIN_MS = 2_000;

/** What trials show together. */
export function outcomeOf(trials: readonly Trial[], controls: readonly Control[]): Outcome {
  return {
    counts: sum(trials.map(({ verdict }) => verdict.counts)),
    table: {
      head: [
        "fault",
        "times",
        "acknowledged",
        "lost",
        "repeated",
        "unanswered",
        "longest gap ms",
        "slowest call ms",
      ],
      rows: trials.map(({ name, verdict: { counts }, ...seen }) => [
        name,
        counts.faults,
        counts.acknowledged,
        counts.lost,
        counts.repeated,
        seen.unanswered,
        Math.max(0, ...seen.recoveries),
        Math.round(seen.slowestMs),
      ]),
    },
    measured: [],
    broken: trials.flatMap(({ name, verdict, slowestMs }) => [
      ...brokenBy(verdict).map((what) => `${name}: ${what}`),
      ...(slowestMs > ANSWERED_WITHIN_MS ? [`${name}: a call took ${Math.round(slowestMs)} ms`] : []),
    ]),
    controls,
  };
}

/** Uses servers, and always stops them. */
export async function withServers<Servers extends { stop(): Promise<void> }, T>(
  starting: Promise<Servers>,
  use: (servers: Servers) => Promise<T>,
): Promise<T> {
  const servers = await starting;
  try {
    return await use(servers);
  } finally {
    await servers.stop();
  }
}

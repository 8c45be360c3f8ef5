import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../lib/waiting.ts";
import { check, type Verdict } from "./checker.ts";
import { brokenBy, type Context, type Control, type Outcome, sum } from "./experiment.ts";
import { startLoad } from "./load.ts";
import { type Testbed, type TestbedOptions, withTestbed } from "./testbed.ts";

/** What happened while clients submitted, workers ran, and one kind of fault was injected again and again. */
export interface Trial {
  readonly name: string;
  readonly verdict: Verdict;
  /** Submissions without an answer; each was repeated with its key. */
  readonly unanswered: number;
  /** Milliseconds until the slowest submission was answered. */
  readonly slowestMs: number;
  /** Milliseconds for which nothing was acknowledged, at the longest. */
  readonly longestGapMs: number;
  /** Keys that were answered with another job's id when they were sent again. */
  readonly changedIds: number;
}

export interface Disturbance {
  readonly name: string;
  readonly times: number;
  /** Injects one fault; resolves when its servers are whole again. */
  inject(testbed: Testbed): Promise<void>;
}

const BETWEEN_MS = 300;
/** Acknowledgements after a fault and before the next. */
const RESUMED = 80;
const RESUMED_QUICK = 20;
const RESUMES_WITHIN_MS = 120_000;
const ENDED_WITHIN_MS = 120_000;
const SIZE = { workers: 2, concurrency: 12 };

/** @param options where the testbed differs from two workers */
export async function underLoad(
  context: Context,
  { name, times, inject }: Disturbance,
  options: Partial<TestbedOptions>,
): Promise<Trial> {
  return await withTestbed({ ...SIZE, ...options }, async (testbed) => {
    const load = await startLoad(testbed, context, name);
    try {
      for (let time = 1; time <= times; time += 1) {
        await sleep(BETWEEN_MS);
        const { length } = testbed.client.acknowledged;
        context.say(`${name}, ${time} of ${times}, ${length} jobs acknowledged`);
        await testbed.outages.during(() => inject(testbed));
        await resumed(testbed, context.isQuick ? RESUMED_QUICK : RESUMED);
      }
      await sleep(BETWEEN_MS);
      const seen = await load.end();
      const verdict = await check(testbed, ENDED_WITHIN_MS);
      verdict.counts.faults = times + testbed.deaths.length;
      return { name, verdict, ...seen };
    } finally {
      await load.abandon();
    }
  });
}

/** A store that is whole again may still need a moment: a master that was away is believed again after twice the node time-out. */
async function resumed({ client }: Testbed, count: number): Promise<void> {
  const enough = client.acknowledged.length + count;
  const isBack = await until(() => client.acknowledged.length >= enough, { withinMs: RESUMES_WITHIN_MS });
  if (isBack === undefined)
    throw new Error(
      `Too little was accepted within ${RESUMES_WITHIN_MS} ms after a fault; the latest refusal is the cause`,
      {
        cause: client.lastFault,
      },
    );
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
        seen.longestGapMs,
        Math.round(seen.slowestMs),
      ]),
    },
    measured: [],
    broken: trials.flatMap(({ name, verdict, slowestMs, changedIds }) => [
      ...brokenBy(verdict).map((what) => `${name}: ${what}`),
      ...(changedIds > 0 ? [`${name}: ${changedIds} keys have two ids`] : []),
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

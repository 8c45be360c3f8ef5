import { dirname, join } from "node:path";
import { type Bench, LOCK_MS, untilEnded, withBench } from "../lib/bench.ts";
import { check, type JobRecord } from "../lib/checker.ts";
import type { Submission } from "../lib/client.ts";
import type { Context, Control, Experiment } from "../lib/experiment.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutLoopWatch } from "../lib/mutations.ts";
import { startRole } from "../lib/role.ts";
import { until } from "../lib/waiting.ts";

const STARTS_ALLOWED = 2;
/** The least that a loop may be silent, the time-out, the stall found, another process started: and much more on a busy machine. */
const PER_START_MS = 20_000;
const CONTROL_MS = 8 * LOCK_MS;

export const blockedLoop: Experiment = {
  number: 21,
  title: "A handler does not yield",
  fault:
    "handlers that block the event loop of `holdfast worker`: once for two locks, and for ever; among other jobs",
  mustHold: "the others complete; the culprit is failed as STARTS_EXHAUSTED after its bounded starts",
  async run(context) {
    const found = await block(context, context.isQuick ? 1 : 5);
    const { counts, jobs, findings } = found.verdict;
    const culprits = jobs.filter(({ key }) => key.startsWith("culprit"));
    const exhausted = culprits.filter(({ status }) => status?.error?.code === "STARTS_EXHAUSTED");
    const harmed = jobs.filter(
      ({ key, status }) => !key.startsWith("culprit") && status?.state !== "completed",
    );
    const starts = culprits.map(begun);
    counts.faults = found.deaths;
    // A culprit is meant to fail.
    counts.failed -= exhausted.length;
    return {
      counts,
      measured: [
        `${culprits.length} handlers that never yield, each ended after ${Math.min(...starts)} to ${Math.max(...starts)} starts (allowed: ${STARTS_ALLOWED})`,
        `the other jobs had waited for at most ${(Math.max(...found.recoveredMs) / 1_000).toFixed(1)} s when the last of them completed`,
      ],
      broken: [
        ...(exhausted.length < culprits.length ? ["a culprit did not end as STARTS_EXHAUSTED"] : []),
        ...(starts.some((count) => count > STARTS_ALLOWED) ? ["a culprit was begun too often"] : []),
        ...(harmed.length > 0 ? [`${harmed.length} other jobs were harmed`, ...findings] : []),
      ],
      controls: [await control(context, withoutLoopWatch)],
    };
  },
};

async function block(context: Context, count: number) {
  return await withBlockedBench(undefined, async (bench) => {
    const recoveredMs: number[] = [];
    for (let index = 0; index < count; index += 1) {
      context.say(`culprit ${index + 1} of ${count}`);
      const once = await bench.client.submit(blocking(`once-${index}`, true));
      await untilEnded(bench, once?.id, PER_START_MS);
      const culprit = await bench.client.submit(blocking(`culprit-${index}`, false));
      recoveredMs.push((await completeOthers(bench, index, 4 * PER_START_MS)) ?? 4 * PER_START_MS);
      await untilEnded(bench, culprit?.id, STARTS_ALLOWED * PER_START_MS);
    }
    const verdict = await check(bench, PER_START_MS);
    return { verdict, recoveredMs, deaths: bench.deaths.length };
  });
}

/** @returns after how many milliseconds all of them were completed; undefined where they were not in time */
async function completeOthers(bench: Bench, index: number, withinMs: number): Promise<number | undefined> {
  const from = performance.now();
  const others = await Promise.all(
    Array.from({ length: 10 }, (_, each) =>
      bench.client.submit({
        type: "bystander",
        idempotencyKey: `other-${index}-${each}`,
        payload: { ms: 20 },
      }),
    ),
  );
  const areDone = async () => {
    const states = await Promise.all(
      others.map(async (job) => (await bench.client.status(job?.id ?? ""))?.state),
    );
    return states.every((state) => state === "completed");
  };
  return (await until(areDone, { withinMs, everyMs: 100 })) === true ? performance.now() - from : undefined;
}

function blocking(key: string, once: boolean): Submission {
  return { type: "blocking", idempotencyKey: key, payload: { once } };
}

async function withBlockedBench<T>(cut: Mutation | undefined, use: (bench: Bench) => Promise<T>): Promise<T> {
  return await withBench({ workers: 0, ...(cut && { cut }) }, async (bench) => {
    const { installation, env, directory } = bench;
    const worker = startRole({
      name: "cli-worker",
      script: join(dirname(installation.script("worker")), "cli-worker.js"),
      env,
      directory,
      onDeath: (death) => (bench.deaths as (typeof death)[]).push(death),
      onRedisInjection: async () => {},
    });
    try {
      await worker.ready();
      return await use(bench);
    } finally {
      await worker.stop();
    }
  });
}

async function control(context: Context, cut: Mutation): Promise<Control> {
  context.say(`control: without ${cut.name}`);
  return await withBlockedBench(cut, async (bench) => {
    const culprit = await bench.client.submit(blocking("culprit", false));
    await until(() => bench.trace.read().some(({ jobId }) => jobId === culprit?.id), {
      withinMs: PER_START_MS,
    });
    const recoveredMs = await completeOthers(bench, 0, CONTROL_MS);
    const seen =
      recoveredMs === undefined ? `other jobs still waited after ${CONTROL_MS / 1_000} s` : "nothing";
    return { protection: cut.name, isCaught: recoveredMs === undefined, seen };
  });
}

function begun({ steps }: JobRecord): number {
  return steps.filter(({ event }) => event === "begun").length;
}

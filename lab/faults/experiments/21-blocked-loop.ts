import { dirname, join } from "node:path";
import { until } from "../../lib/waiting.ts";
import { check, type JobRecord } from "../lib/checker.ts";
import type { Submission } from "../lib/client.ts";
import { type Context, type Control, controlOf, type Experiment, untilCaught } from "../lib/experiment.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutLoopWatch } from "../lib/mutations.ts";
import { type Role, startRole } from "../lib/role.ts";
import { LOCK_MS, type Testbed, untilEnded, withTestbed } from "../lib/testbed.ts";

const STARTS_ALLOWED = 2;
/** Covers the shortest block, the time-out, the stall and a restart, with room for a busy machine. */
const PER_START_MS = 60_000;
const CONTROL_MS = 8 * LOCK_MS;

export const blockedLoop: Experiment = {
  number: 21,
  title: "A handler does not yield",
  fault:
    "handlers that block the event loop of `holdfast worker`: once for two locks, and forever; among other jobs",
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
      controls: [await untilCaught(2, () => control(context, withoutLoopWatch))],
    };
  },
};

async function block(context: Context, count: number) {
  return await withBlockingTestbed(undefined, async (testbed) => {
    const recoveredMs: number[] = [];
    for (let index = 0; index < count; index += 1) {
      context.say(`culprit ${index + 1} of ${count}`);
      const once = await testbed.client.submit(blocking("blocking-once", `once-${index}`));
      await untilEnded(testbed, once?.id, PER_START_MS);
      const culprit = await testbed.client.submit(blocking("blocking", `culprit-${index}`));
      recoveredMs.push((await completeOthers(testbed, index, 4 * PER_START_MS)) ?? 4 * PER_START_MS);
      await untilEnded(testbed, culprit?.id, STARTS_ALLOWED * PER_START_MS);
    }
    const verdict = await check(testbed, PER_START_MS);
    return { verdict, recoveredMs, deaths: testbed.deaths.length };
  });
}

/** @returns milliseconds until all had completed; undefined if they were late */
async function completeOthers(
  testbed: Testbed,
  index: number,
  withinMs: number,
): Promise<number | undefined> {
  const from = performance.now();
  const others = await Promise.all(
    Array.from({ length: 10 }, (_, each) =>
      testbed.client.submit({
        type: "bystander",
        idempotencyKey: `other-${index}-${each}`,
        payload: { ms: 20 },
      }),
    ),
  );
  const areDone = async () => {
    const states = await Promise.all(
      others.map(async (job) => (await testbed.client.status(job?.id ?? ""))?.state),
    );
    return states.every((state) => state === "completed");
  };
  return (await until(areDone, { withinMs, everyMs: 100 })) === true ? performance.now() - from : undefined;
}

function blocking(type: "blocking" | "blocking-once", key: string): Submission {
  return { type, idempotencyKey: key, payload: {} };
}

async function withBlockingTestbed<T>(
  mutation: Mutation | undefined,
  use: (testbed: Testbed, worker: Role) => Promise<T>,
): Promise<T> {
  return await withTestbed({ workers: 0, ...(mutation && { mutation }) }, async (testbed) => {
    const { installation, env, directory } = testbed;
    const worker = startRole({
      name: "cli-worker",
      script: join(dirname(installation.script("worker")), "cli-worker.js"),
      env,
      directory,
      onDeath: (death) => (testbed.deaths as (typeof death)[]).push(death),
      onRedisInjection: async () => {},
    });
    try {
      await worker.ready();
      return await use(testbed, worker);
    } finally {
      await worker.stop();
    }
  });
}

async function control(context: Context, mutation: Mutation): Promise<Control> {
  context.say(`control: without ${mutation.name}`);
  return await withBlockingTestbed(mutation, async (testbed, worker) => {
    const culprit = await testbed.client.submit(blocking("blocking", "culprit"));
    await until(() => testbed.trace.read().some(({ jobId }) => jobId === culprit?.id), {
      withinMs: PER_START_MS,
    });
    const recoveredMs = await completeOthers(testbed, 0, CONTROL_MS);
    // With the watch, a slow machine could delay the others, but the worker would have ended.
    const isBlocked = recoveredMs === undefined && worker.lives === 1;
    const seen = `the worker had not ended, and other jobs still waited, after ${CONTROL_MS / 1_000} s`;
    return controlOf(mutation.name, isBlocked ? [seen] : []);
  });
}

function begun({ steps }: JobRecord): number {
  return steps.filter(({ event }) => event === "begun").length;
}

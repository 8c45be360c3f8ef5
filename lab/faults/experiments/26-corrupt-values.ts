import { queueKey } from "../../../src/core/bullmq/store/queue-keys.ts";
import { garbage } from "../../../test/support/garbage-fields.ts";
import { until } from "../../lib/waiting.ts";
import { noCounts } from "../lib/checker.ts";
import type { Submission } from "../lib/client.ts";
import type { Context, Control, Experiment } from "../lib/experiment.ts";
import { oddKinds } from "../lib/inside/odd-kinds.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutReadingGuard } from "../lib/mutations.ts";
import { LONG_LOCK, type Testbed, withTestbed } from "../lib/testbed.ts";
import { withRedis } from "../lib/with-redis.ts";

const PREFIX = "lab";
const HEALTHY = 20;
const AT_REST_WITHIN_MS = 60_000;
const READ_WITHIN_MS = 60_000;
/** Without the guard a read fails for as long as the value is there. */
const CONTROL_READ_WITHIN_MS = 5_000;

interface Reads {
  /** How long a read may be repeated. */
  readonly withinMs: number;
  count: number;
  /** Failed reads, and lists without a healthy job. */
  readonly failed: string[];
}

interface Found {
  readonly reads: Reads;
  readonly faults: number;
  readonly acknowledged: number;
  readonly restless: number;
}

export const corruptValues: Experiment = {
  number: 26,
  title: "Stored values are corrupt",
  fault:
    "handlers with invalid waits, errors, progress and results; garbage and old versions in the fields of stored jobs",
  mustHold: "every list, status, failure group and overview is answered, and no list lacks a healthy job",
  async run(context) {
    const { reads, faults, acknowledged, restless } = await corrupt(
      context,
      undefined,
      context.isQuick ? 1 : 10,
    );
    return {
      counts: { ...noCounts, acknowledged, faults, notEnded: restless },
      measured: [`${reads.count} reads meanwhile, ${reads.failed.length} of them failed`],
      broken: [
        ...(reads.failed.length > 0
          ? [`${reads.failed.length} failed reads`, ...reads.failed.slice(0, 5)]
          : []),
        ...(restless > 0
          ? [`${restless} jobs of odd handlers neither ended nor wait for their next attempt`]
          : []),
      ],
      controls: [await control(context, withoutReadingGuard)],
    };
  },
};

async function control(context: Context, mutation: Mutation): Promise<Control> {
  context.say(`control: without ${mutation.name}`);
  const { reads } = await corrupt(context, mutation, 1);
  const seen = `${reads.failed.length} of ${reads.count} reads failed`;
  return { protection: mutation.name, isCaught: reads.failed.length > 0, seen };
}

async function corrupt({ say }: Context, mutation: Mutation | undefined, rounds: number): Promise<Found> {
  const options = {
    workers: 1,
    api: true,
    env: { ...LONG_LOCK, HOLDFAST_PREFIX: PREFIX },
    ...(mutation && { mutation }),
  };
  return await withTestbed(options, async (testbed) => {
    const healthy = await submitAll(
      testbed,
      Array.from({ length: HEALTHY }, (_, index) => quick(`healthy-${index}`)),
    );
    await untilAtRest(testbed, healthy);
    const withinMs = testbed.isControl ? CONTROL_READ_WITHIN_MS : READ_WITHIN_MS;
    const reads: Reads = { withinMs, count: 0, failed: [] };
    const { url = "" } = (await testbed.api?.ready()) ?? {};
    let isOver = false;
    const reading = (async () => {
      while (!isOver) await readAll(url, healthy, reads);
    })();

    say("values of handlers");
    const odd = await submitAll(
      testbed,
      oddKinds.map((kind) => ({ type: "odd", idempotencyKey: kind, payload: { kind } })),
    );
    const restless = await untilAtRest(testbed, odd);
    const [waiting = "", ...ended] = odd;
    let faults = odd.length;
    for (let round = 1; round <= rounds; round += 1) {
      say(`stored fields, round ${round} of ${rounds}`);
      const victims = await submitAll(testbed, [quick(`victim-${round}`)]);
      await untilAtRest(testbed, victims);
      // One delayed, one completed, one failed.
      faults += await writeGarbage(testbed, [waiting, ...victims, ended.at(-1) ?? ""], () =>
        readAll(url, healthy, reads),
      );
    }
    isOver = true;
    await reading;
    return { reads, faults, acknowledged: testbed.client.acknowledged.length, restless };
  });
}

/** Writes each kind of garbage into the jobs, and restores them. */
async function writeGarbage(
  { store }: Testbed,
  ids: readonly string[],
  read: () => Promise<void>,
): Promise<number> {
  return await withRedis(store, async (redis) => {
    let count = 0;
    for (const id of ids) {
      const key = queueKey(PREFIX, "default", id);
      const sound = await redis.hgetall(key);
      for (const fields of Object.values(garbage)) {
        await redis.hset(key, fields);
        await read();
        await redis.multi().del(key).hset(key, sound).exec();
        count += 1;
      }
    }
    return count;
  });
}

async function readAll(url: string, healthy: readonly string[], reads: Reads): Promise<void> {
  const [id = ""] = healthy;
  await readList(url, healthy, reads);
  for (const path of [`/jobs/${id}`, `/jobs/${id}/status`, "/failures", "/overview"])
    await readOne(url, path, reads);
}

/** Page by page: one that takes long ends early. */
async function readList(url: string, healthy: readonly string[], reads: Reads): Promise<void> {
  const missing = new Set(healthy);
  for (let path = "/jobs?limit=100"; ; ) {
    const text = await readOne(url, path, reads);
    if (text === undefined) return;
    for (const id of healthy) if (text.includes(id)) missing.delete(id);
    const { nextCursor } = JSON.parse(text) as { readonly nextCursor: string | null };
    if (nextCursor === null) break;
    path = `/jobs?limit=100&cursor=${encodeURIComponent(nextCursor)}`;
  }
  if (missing.size > 0) reads.failed.push(`/jobs: ${missing.size} healthy jobs are missing`);
}

/** @returns the answer, unless it is a fault */
async function readOne(url: string, path: string, reads: Reads): Promise<string | undefined> {
  reads.count += 1;
  const { status, text } = await read(url + path, reads.withinMs);
  if (status === 200) return text;
  reads.failed.push(`${path}: ${status} ${text.slice(0, 200)}`);
  return undefined;
}

/** Repeats what a slow Redis does not answer: that says nothing about stored values. */
async function read(url: string, withinMs: number): Promise<{ status: number; text: string }> {
  let last = { status: 0, text: "no answer" };
  const isAnswered = async () => {
    const response = await fetch(url);
    last = { status: response.status, text: await response.text() };
    return last.status !== 503;
  };
  await until(isAnswered, { withinMs });
  return last;
}

/** @returns how many have neither ended nor wait for their next attempt */
async function untilAtRest({ client }: Testbed, ids: readonly string[]): Promise<number> {
  const open = new Set(ids);
  const look = async () => {
    for (const id of open) {
      const state = (await client.status(id))?.state;
      if (state === "completed" || state === "failed" || state === "delayed") open.delete(id);
    }
    return open.size === 0;
  };
  await until(look, { withinMs: AT_REST_WITHIN_MS, everyMs: 100 });
  return open.size;
}

async function submitAll({ client }: Testbed, submissions: readonly Submission[]): Promise<string[]> {
  const accepted = await Promise.all(submissions.map((submission) => client.submit(submission)));
  return accepted.flatMap((job) => job?.id ?? []);
}

function quick(key: string): Submission {
  return { type: "bystander", idempotencyKey: key, payload: { ms: 0 } };
}

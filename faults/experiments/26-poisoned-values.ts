import { queueKey } from "../../src/queue/queue-keys.ts";
import { garbage } from "../../test/support/garbage-fields.ts";
import { type Bench, withBench } from "../lib/bench.ts";
import { noCounts } from "../lib/checker.ts";
import type { Submission } from "../lib/client.ts";
import type { Context, Control, Experiment } from "../lib/experiment.ts";
import { oddKinds } from "../lib/inside/odd-kinds.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutReadingGuard } from "../lib/mutations.ts";
import { withHand } from "../lib/store-hand.ts";
import { until } from "../lib/waiting.ts";

const PREFIX = "lab";
const HEALTHY = 20;
const SETTLED_WITHIN_MS = 20_000;

interface Reads {
  count: number;
  /** A read that failed, or a list that a healthy job was missing from. */
  readonly blinded: string[];
}

interface Found {
  readonly reads: Reads;
  readonly faults: number;
  readonly acknowledged: number;
  readonly unsettled: number;
}

export const poisonedValues: Experiment = {
  number: 26,
  title: "Values are poisoned",
  fault:
    "handlers that give waits, errors, progress and results that are none, and garbage and old versions in the fields of stored jobs",
  mustHold: "each list, status, group of failures and overview is answered, and no list lacks a healthy job",
  async run(context) {
    const { reads, faults, acknowledged, unsettled } = await poison(
      context,
      undefined,
      context.isQuick ? 1 : 10,
    );
    return {
      counts: { ...noCounts, acknowledged, faults, notEnded: unsettled },
      measured: [`${reads.count} reads meanwhile, ${reads.blinded.length} of them blinded`],
      broken: [
        ...(reads.blinded.length > 0
          ? [`${reads.blinded.length} blinded reads`, ...reads.blinded.slice(0, 5)]
          : []),
        ...(unsettled > 0
          ? [`${unsettled} jobs of odd handlers neither ended nor wait for their next attempt`]
          : []),
      ],
      controls: [await control(context, withoutReadingGuard)],
    };
  },
};

async function control(context: Context, cut: Mutation): Promise<Control> {
  context.say(`control: without ${cut.name}`);
  const { reads } = await poison(context, cut, 1);
  const seen = `${reads.blinded.length} of ${reads.count} reads were blinded`;
  return { protection: cut.name, isCaught: reads.blinded.length > 0, seen };
}

async function poison({ say }: Context, cut: Mutation | undefined, rounds: number): Promise<Found> {
  const options = { workers: 1, api: true, env: { HOLDFAST_PREFIX: PREFIX }, ...(cut && { cut }) };
  return await withBench(options, async (bench) => {
    const healthy = await submitAll(
      bench,
      Array.from({ length: HEALTHY }, (_, index) => quick(`healthy-${index}`)),
    );
    await untilSettled(bench, healthy);
    const reads: Reads = { count: 0, blinded: [] };
    const { url = "" } = (await bench.api?.ready()) ?? {};
    let isOver = false;
    const asking = (async () => {
      while (!isOver) await askAll(url, healthy, reads);
    })();

    say("values of handlers");
    const odd = await submitAll(
      bench,
      oddKinds.map((kind) => ({ type: "odd", idempotencyKey: kind, payload: { kind } })),
    );
    const unsettled = await untilSettled(bench, odd);
    const [waiting = "", ...ended] = odd;
    let faults = odd.length;
    for (let round = 1; round <= rounds; round += 1) {
      say(`stored fields, round ${round} of ${rounds}`);
      const victims = await submitAll(bench, [quick(`victim-${round}`)]);
      await untilSettled(bench, victims);
      // One that is delayed, one that completed, and one that failed.
      faults += await spoil(bench, [waiting, ...victims, ended.at(-1) ?? ""], () =>
        askAll(url, healthy, reads),
      );
    }
    isOver = true;
    await asking;
    return { reads, faults, acknowledged: bench.client.acknowledged.length, unsettled };
  });
}

/** Writes each kind of garbage into the jobs, and puts back what was there. */
async function spoil({ store }: Bench, ids: readonly string[], ask: () => Promise<void>): Promise<number> {
  return await withHand(store, async (hand) => {
    let count = 0;
    for (const id of ids) {
      const key = queueKey(PREFIX, "default", id);
      const sound = await hand.hgetall(key);
      for (const fields of Object.values(garbage)) {
        await hand.hset(key, fields);
        await ask();
        await hand.multi().del(key).hset(key, sound).exec();
        count += 1;
      }
    }
    return count;
  });
}

async function askAll(url: string, healthy: readonly string[], reads: Reads): Promise<void> {
  const [id = ""] = healthy;
  for (const path of ["/jobs?limit=100", `/jobs/${id}`, `/jobs/${id}/status`, "/failures", "/overview"]) {
    reads.count += 1;
    const response = await fetch(url + path, { signal: AbortSignal.timeout(10_000) });
    const text = await response.text();
    if (response.status !== 200) reads.blinded.push(`${path}: ${response.status} ${text.slice(0, 200)}`);
    else if (path.startsWith("/jobs?") && healthy.some((each) => !text.includes(each)))
      reads.blinded.push(`${path}: a healthy job is missing`);
  }
}

/** @returns how many have neither ended nor wait for their next attempt */
async function untilSettled({ client }: Bench, ids: readonly string[]): Promise<number> {
  const open = new Set(ids);
  const look = async () => {
    for (const id of open) {
      const state = (await client.status(id))?.state;
      if (state === "completed" || state === "failed" || state === "delayed") open.delete(id);
    }
    return open.size === 0;
  };
  await until(look, { withinMs: SETTLED_WITHIN_MS, everyMs: 100 });
  return open.size;
}

async function submitAll({ client }: Bench, submissions: readonly Submission[]): Promise<string[]> {
  const accepted = await Promise.all(submissions.map((submission) => client.submit(submission)));
  return accepted.flatMap((job) => job?.id ?? []);
}

function quick(key: string): Submission {
  return { type: "bystander", idempotencyKey: key, payload: { ms: 0 } };
}

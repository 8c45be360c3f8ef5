import { actJob } from "./act-jobs.ts";
import { type Bench, untilEnded, withBench } from "./bench.ts";
import { apiDoor, type Door, type Submission } from "./client.ts";
import type { Context } from "./experiment.ts";
import type { Mutation } from "./installation.ts";
import { withHand } from "./store-hand.ts";
import { inLanes, until } from "./waiting.ts";

/** What came of a store that was emptied in the middle of effects. */
export interface Flushed {
  /** What the API said to a submission then; `accepted` if it took it. */
  readonly said: string;
  readonly repeated: number;
  readonly inDoubt: number;
  /** Of the keys that were submitted again, once the loss was accepted. */
  readonly completed: number;
}

/** Effects that were in the middle. */
export const HELD = 16;
const HELD_MS = 1_200;
/** The locks are gone, too. The effects are to end before their workers notice that. */
const LOCK_MS = "5000";
const SAID_WITHIN_MS = 10_000;

/** The store is emptied, somebody accepts that, and the clients submit the same keys again. */
export async function flush(context: Context, cut?: Mutation): Promise<Flushed> {
  const size = { workers: 2, concurrency: HELD / 2, api: true, env: { HOLDFAST_LOCK_MS: LOCK_MS } };
  return await withBench({ ...size, ...(cut && { cut }) }, async (bench) => {
    const { url = "" } = (await bench.api?.ready()) ?? {};
    const door = apiDoor(async () => url);
    const jobs = Array.from({ length: HELD }, (_, index) => heldJob(context, index));
    const submitAll = () => inLanes(jobs, HELD, async (job) => void (await bench.client.submit(job, door)));
    await submitAll();
    const begun = () => bench.trace.read().filter(({ event }) => event === "effect:begun").length;
    await until(() => begun() === HELD, { withinMs: 20_000, everyMs: 10 });
    await withHand(bench.store, (hand) => hand.flushall());
    const forgotten = committed(bench);
    const said = await whatIsSaid(door, actJob("afterwards", context.random));
    await until(() => bench.told().length >= HELD, { withinMs: 10_000 });
    await fetch(`${url}/store/accept-loss`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ evidence: "The laboratory has emptied it" }),
    });
    const before = bench.client.acknowledged.length;
    await submitAll();
    const again = bench.client.acknowledged.slice(before);
    for (const { id } of again) await untilEnded(bench, id);
    const statuses = await Promise.all(again.map(({ id }) => bench.client.status(id)));
    return {
      said,
      repeated: repeats(bench).filter((key) => !forgotten.has(key)).length,
      inDoubt: statuses.filter((status) => status?.error?.code === "EFFECT_IN_DOUBT").length,
      completed: statuses.filter((status) => status?.state === "completed").length,
    };
  });
}

function heldJob({ random }: Context, index: number): Submission {
  const { payload, ...job } = actJob(`held-${index}`, random);
  return { ...job, payload: { ...payload, beforeMs: HELD_MS } };
}

/** Submits again and again until the API says that the store has lost something. @returns what it said last */
export async function whatIsSaid(door: Door, submission: Submission): Promise<string> {
  let said = "";
  const ask = async () => {
    said = await door(submission).then(
      () => "accepted",
      (error: Error) => error.message.replace("answered ", ""),
    );
    return said === "accepted" || said.includes("STORE_ROLLED_BACK");
  };
  await until(ask, { withinMs: SAID_WITHIN_MS });
  return said;
}

/** Keys whose effect was recorded as done: with an emptied store that is forgotten, and whoever accepts it knows. */
function committed({ client, trace }: Bench): Set<string> {
  const steps = trace.read().filter(({ event }) => event === "commit:after");
  const ids = new Set(steps.map(({ jobId }) => jobId));
  return new Set(client.acknowledged.filter(({ id }) => ids.has(id)).map(({ key }) => key));
}

/** Keys whose effect happened more than once. */
function repeats(bench: Bench): string[] {
  const jobs = bench.told().map(({ job }) => job);
  return [...new Set(jobs.filter((job, index) => jobs.indexOf(job) !== index))];
}

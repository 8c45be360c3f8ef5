import { setTimeout as sleep } from "node:timers/promises";
import { call } from "./calls.ts";
import { type Planned, plannedJob } from "./kinds.ts";
import type { Tally } from "./tally.ts";
import { watchFor } from "./watch.ts";

export interface Load {
  /** Accepted jobs that have not ended yet. */
  readonly open: number;
  /** Stops submitting, and waits until every accepted job has ended. */
  finish(): Promise<void>;
}

const PULSE_MS = 100;
/** One in this many pulses is a batch. */
const BATCH_EVERY = 10;
/** Does not hit batches: at 100 jobs a second, the first ten of a hundred come as a batch. */
const DUPLICATE_EVERY = 10;
const REUSED_EVERY = 50;
const INVALID_EVERY = 100;
/** Seconds' worth of open jobs before the load waits for the service. */
const OPEN_MAX_SECONDS = 30;
const LOOK_EVERY_MS = 5_000;
const views = [
  "overview",
  "jobs?state=failed&limit=50",
  "jobs?state=completed&limit=50",
  "failures",
  "schedules",
];

/** Submits jobs of all kinds at a steady rate, and watches each until it ends. @param rate jobs a second */
export function startLoad(url: string, rate: number, tally: Tally): Load {
  const watched = new Set<Promise<void>>();
  let submitted = 0;
  let isOver = false;

  const track = (what: string, work: Promise<void>) => {
    const tracked = work
      .catch((error: unknown) => tally.fault(`${what}: ${reasonOf(error)}`))
      .finally(() => watched.delete(tracked));
    watched.add(tracked);
  };
  const submit = (numbers: readonly number[], asBatch: boolean) => {
    if (asBatch) return track("a batch", submitBatch(url, numbers, tally, track));
    for (const number of numbers) track(`job ${number}`, submitOne(url, number, tally));
  };
  const pulses = everyInTime(
    PULSE_MS,
    () => isOver,
    (pulse) => {
      const due =
        Math.round(((pulse + 1) * rate * PULSE_MS) / 1_000) - Math.round((pulse * rate * PULSE_MS) / 1_000);
      if (watched.size > rate * OPEN_MAX_SECONDS) {
        for (let held = 0; held < due; held += 1) tally.add("heldBack");
        return;
      }
      const numbers = Array.from({ length: due }, (_, index) => submitted + index);
      submitted += due;
      submit(numbers, pulse % BATCH_EVERY === 0);
    },
  );
  const looks = everyInTime(
    LOOK_EVERY_MS,
    () => isOver,
    (look) => {
      track("a look", lookAround(url, look, tally));
    },
  );
  return {
    get open() {
      return watched.size;
    },
    async finish() {
      isOver = true;
      await Promise.all([pulses, looks]);
      while (watched.size > 0) await Promise.all(watched);
    },
  };
}

/** Calls `work` at each multiple of `ms`, and catches up when late. */
async function everyInTime(ms: number, isOver: () => boolean, work: (time: number) => void): Promise<void> {
  const startedAt = performance.now();
  for (let time = 0; !isOver(); time += 1) {
    work(time);
    await sleep(Math.max(0, startedAt + (time + 1) * ms - performance.now()));
  }
}

type Track = (what: string, work: Promise<void>) => void;

async function submitOne(url: string, number: number, tally: Tally): Promise<void> {
  const planned = plannedJob(number);
  const { status, body } = await call(`${url}/jobs`, { body: planned.body });
  if (status !== 202) throw new Error(`answered ${status} ${body.code}`);
  if (number % DUPLICATE_EVERY === 0) await repeat(url, planned, body.id, tally);
  if (number % REUSED_EVERY === 31) await reuse(url, planned, tally);
  if (number % INVALID_EVERY === 42) await missubmit(url, planned, tally);
  await watchToEnd(url, number, planned, String(body.id), tally);
}

async function submitBatch(
  url: string,
  numbers: readonly number[],
  tally: Tally,
  track: Track,
): Promise<void> {
  const planned = numbers.map(plannedJob);
  const { status, body } = await call(`${url}/jobs/batch`, {
    body: { jobs: planned.map((job) => job.body) },
  });
  const results = body.results as readonly { status: number; id: string; code?: string }[] | undefined;
  if (status !== 200 || results === undefined) throw new Error(`answered ${status} ${body.code}`);
  for (const [index, number] of numbers.entries()) {
    const [job, result] = [planned[index], results[index]];
    if (job === undefined || result?.status !== 202)
      tally.fault(`job ${number}: answered ${result?.status} in a batch`);
    else track(`job ${number}`, watchToEnd(url, number, job, result.id, tally));
  }
}

async function repeat(url: string, { body }: Planned, id: unknown, tally: Tally): Promise<void> {
  const again = await call(`${url}/jobs`, { body });
  if (again.status !== 200 || again.body.id !== id)
    throw new Error(`sent again, it was answered ${again.status}`);
  tally.add("duplicates");
}

async function reuse(url: string, { body }: Planned, tally: Tally): Promise<void> {
  const other = await call(`${url}/jobs`, { body: { ...body, payload: { text: "other" } } });
  if (other.status !== 422) throw new Error(`its key with other content was answered ${other.status}`);
  tally.add("reused");
}

async function missubmit(url: string, { body }: Planned, tally: Tally): Promise<void> {
  const invalid = await call(`${url}/jobs`, { body: { ...body, payload: { text: 1 } } });
  if (invalid.status !== 400) throw new Error(`an invalid payload was answered ${invalid.status}`);
  tally.add("invalid");
}

async function watchToEnd(
  url: string,
  number: number,
  { ends, hasEffect }: Planned,
  id: string,
  tally: Tally,
): Promise<void> {
  tally.add("submitted");
  if (hasEffect) tally.add("effects");
  const ended = await watchFor(number)(`${url}/jobs/${id}/status`, tally);
  if (ended === "completed" || ended === "failed") tally.add(ended);
  if (ended !== ends)
    throw new Error(`expected it to end ${ends}, it ${ended === undefined ? "did not end" : `${ended}`}`);
}

async function lookAround(url: string, look: number, tally: Tally): Promise<void> {
  const view = views[look % views.length];
  const { status } = await call(`${url}/${view}`);
  if (status !== 200) throw new Error(`${view} was answered ${status}`);
  tally.add("looks");
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}

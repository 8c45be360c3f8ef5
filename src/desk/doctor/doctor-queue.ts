import type { QueueStore, QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { countOverdue } from "../../core/bullmq/stored-job.ts";
import { INTERNAL_QUEUE, NOTICE_QUEUE } from "../../core/job/internal-queue.ts";
import { storesOfGuard } from "../../guard/places.ts";
import type { EncryptionKey } from "../../platform/config/encryption-keys.ts";
import type { Settings } from "../../platform/config/settings.ts";
import { type Finding, finding, findings, ok } from "../../platform/errors/finding.ts";
import { durationText } from "../../platform/lib/duration-text.ts";
import { isoTime } from "../../platform/lib/iso-time.ts";
import type { Loss } from "../../platform/redis/fitness/epoch.ts";
import { either, integer, listOf, text } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { readLoss } from "../audit/loss.ts";
import { counted } from "../counted.ts";
import { countDoubts } from "../doubts/doubts.ts";
import { findStuckDoubts } from "../doubts/stuck-doubts.ts";
import { type QueueReading, readQueue } from "../overview/queue-overview.ts";
import { rampText } from "../queues/ramps.ts";
import { areAllQuiet } from "../workers/all-quiet.ts";

const OVERDUE_AFTER_MS = 30_000;

/** Checks one queue: its workers, delayed jobs, doubts, and whether its jobs can be decrypted. */
export async function diagnoseQueue(
  partitions: readonly QueueStore[],
  settings: Settings,
): Promise<Finding[]> {
  const [reading, losses] = await Promise.all([readQueue(partitions), Promise.all(partitions.map(readLoss))]);
  const { all: keys } = settings.HOLDFAST_ENCRYPTION_KEYS;
  return findings(
    workers(reading),
    brokenWorkers(
      reading,
      losses.some((loss) => loss !== undefined),
    ),
    quietWorkers(reading),
    stillRunning(reading),
    pause(reading),
    limit(reading),
    curbs(reading),
    ramp(reading),
    await delayedJobs(partitions, reading),
    doubts(reading),
    shortened(await Promise.all(partitions.map(stuckDoubts))),
    shortened(await Promise.all(partitions.map((store) => encryption(store, keys)))),
  );
}

/** One finding of each partition: the first stands for all that are well. */
function shortened(findings: readonly Finding[]): Finding[] {
  const wrong = findings.filter(({ verdict }) => verdict !== "ok");
  return wrong.length > 0 ? wrong : findings.slice(0, 1);
}

/** Checks whether Redis has everything that it acknowledged, in each queue. */
export async function diagnoseLosses(stores: QueueStores, queues: readonly string[]): Promise<Finding[]> {
  const found = queues.map(async (queue) =>
    shortened(await Promise.all(stores.partitionsOf([queue]).map(diagnoseLoss))),
  );
  return (await Promise.all(found)).flat();
}

/** The same for Holdfast's own queues, which no other check looks at. */
export async function diagnoseLostActs(stores: QueueStores): Promise<Finding[]> {
  const own = [
    [INTERNAL_QUEUE, "acts on many jobs"],
    [NOTICE_QUEUE, "notices"],
  ] as const;
  const found = own.map(async ([queue, what]) => ({
    ...(await diagnoseLoss(stores.of(queue))),
    name: `what ${what} have acknowledged`,
  }));
  return (await Promise.all(found)).filter(({ verdict }) => verdict !== "ok");
}

/** Checks whether Redis has everything that it acknowledged, as far as any process remembers. */
async function diagnoseLoss(store: QueueStore): Promise<Finding> {
  const name = `what ${store.queue} has acknowledged`;
  const loss = await readLoss(store);
  if (loss === undefined) return ok(name, "is there");
  return finding(name, "bad", `${lostIn(loss)}, known since ${isoTime(loss.since)}`, {
    reason: "keys and effects are forgotten, so no job is claimed and no effect begins",
    remedy:
      'restore the lost data, or find out what was lost, then holdfast store accept-loss --evidence "…"',
    code: "STORE_ROLLED_BACK",
  });
}

function lostIn({ known, found, evicted }: Loss): string {
  if (evicted > 0) return `Redis has evicted ${counted(evicted, "key")}`;
  return known.id === found.id
    ? `${known.count - found.count} changes are lost`
    : "it is another Redis, or one that was emptied";
}

function workers({ queue }: QueueReading): Finding {
  const waiting = queue.waiting + queue.prioritized;
  const abandoned = waiting > 0 ? "bad" : "warn";
  if (queue.workers > 0 && !queue.isPaused && areAllQuiet(queue))
    return finding(
      `workers of ${queue.name}`,
      abandoned,
      `${queue.workers} alive, all of them quiet, ${counted(waiting, "job")} waiting`,
      {
        reason: waiting > 0 ? "jobs wait, and no worker claims them" : "no worker claims the next job",
        remedy: "wake one, holdfast workers wake NAME, or start another: holdfast worker",
      },
    );
  const found = `${queue.workers} alive, ${counted(waiting, "job")} waiting`;
  return finding(`workers of ${queue.name}`, queue.workers > 0 || queue.isPaused ? "ok" : abandoned, found, {
    reason: waiting > 0 ? "jobs wait, and no worker runs them" : "the next job will wait: no worker runs it",
    remedy: "start one: holdfast worker",
  });
}

/** @param isLost whether Redis has lost data: then no worker claims anything, and to restart one does not help */
function brokenWorkers({ workers: known }: QueueReading, isLost: boolean): Finding[] {
  return known
    .filter(({ isStuck, isClockWrong }) => (isStuck && !isLost) || isClockWrong)
    .map(({ name, isClockWrong }) =>
      isClockWrong
        ? finding(`worker ${name}`, "bad", "its clock is more than 2 s off Redis's", {
            reason: "CLOCK_WRONG: it claims no jobs until its clock is right",
            remedy: "synchronise its machine's clock (NTP)",
            code: "CLOCK_WRONG",
          })
        : finding(`worker ${name}`, "bad", "alive, with free slots, and claims no jobs", {
            reason: "its connection may be stuck: jobs wait longer than they should",
            remedy: "restart it; its jobs are safe",
          }),
    );
}

/** Those that somebody has told to claim no more jobs. */
function quietWorkers({ queue, workers: known }: QueueReading): Finding[] {
  return known.flatMap(({ name, quiet }) => {
    if (quiet === null) return [];
    const { reason, by, since, hasHeard } = quiet;
    const heard = hasHeard ? "" : ", which it has not heard yet";
    const found = `quiet in ${queue.name} since ${since}, by ${by}: ${reason}${heard}`;
    return finding(`worker ${name}`, "warn", found, {
      reason: "it claims no more jobs until it is woken or started anew",
      remedy: `holdfast workers wake ${name}`,
    });
  });
}

/** Runs that ignore their signal, on workers that count them as over. */
function stillRunning({ queue, workers: known }: QueueReading): Finding | undefined {
  if (queue.stillRunning === 0) return undefined;
  const named = known.flatMap(({ name, stillRuns }) =>
    stillRuns.map(({ jobId, toldAt }) => `${jobId} on ${name}, told to stop at ${toldAt}`),
  );
  const more = queue.stillRunning - Math.min(named.length, NAMED_RUNS);
  const list = [...named.slice(0, NAMED_RUNS), ...(more > 0 ? [`${more} more`] : [])].join("; ");
  return finding(
    `told to stop in ${queue.name}`,
    "warn",
    `${counted(queue.stillRunning, "handler")} still running: ${list}`,
    {
      reason: "they ignore their signal, so what they do still happens, beside the worker's slots",
      remedy: "wait until they return, or stop the worker; let the handler obey its signal",
    },
  );
}

const NAMED_RUNS = 3;

function pause({ queue }: QueueReading): Finding | undefined {
  if (!queue.isPaused) return undefined;
  const { reason = "", by = "", since } = queue.paused ?? {};
  const found = reason === "" ? "paused by another tool" : `paused by ${by} since ${since}: ${reason}`;
  return finding(`queue ${queue.name}`, "warn", found, {
    reason: "none of its jobs starts until it is resumed",
    remedy: `holdfast queues resume ${queue.name}`,
  });
}

/** It ends by itself. */
function ramp({ now, queue: { name, ramp: known } }: QueueReading): Finding | undefined {
  if (known === null) return undefined;
  return ok(`ramp of ${name}`, `${rampText(known, now)}, to ${known.slots} at a time`);
}

const LONG_MS = 3_600_000;

/** A limit that somebody set by hand, and one that jobs will wait for hours. */
function limit({
  queue: { name, limits, limitedBy, clearsInMs, waiting, prioritized },
}: QueueReading): Finding | undefined {
  const isSlow = (clearsInMs ?? 0) > LONG_MS;
  if (limitedBy === null && !isSlow) return undefined;
  const { rate, concurrency } = limits;
  const texts = [rate, concurrency && `${concurrency} at a time`].filter(Boolean);
  const by = limitedBy === null ? "as declared" : `by ${limitedBy}`;
  const slow = isSlow ? `; the last starts in ${durationText(clearsInMs ?? 0)}` : "";
  const found = `limited to ${texts.join(", ")} ${by}, ${counted(waiting + prioritized, "job")} waiting${slow}`;
  return finding(`limit of ${name}`, "warn", found, {
    reason: "its jobs start no faster than that, however many workers run",
    remedy:
      limitedBy === null
        ? `holdfast queues limit ${name} --rate RATE, with a higher one if downstream bears it`
        : `holdfast queues limit ${name} --declared`,
  });
}

/** Types and keys that somebody paused or limited. */
function curbs({ queue: { name, curbs: all } }: QueueReading): Finding[] {
  return all.map((curb) => {
    const { type, key, concurrency, held, by, since, reason } = curb;
    const how =
      concurrency === null
        ? `paused by ${by} since ${since}: ${reason}`
        : `limited to ${concurrency} at a time by ${by} since ${since}`;
    const which = type === null ? `key ${key}` : `type ${type}`;
    return finding(`${which} of ${name}`, "warn", `${how}; ${counted(held, "job")} held`, {
      reason: "its jobs are held, not failed, until somebody lets it go",
      remedy: `holdfast queues resume ${name} --${which}`,
    });
  });
}

async function delayedJobs(
  partitions: readonly QueueStore[],
  { now, queue }: QueueReading,
): Promise<Finding> {
  const counts = await Promise.all(partitions.map((store) => countOverdue(store, now - OVERDUE_AFTER_MS)));
  const overdue = counts.reduce((sum, count) => sum + count, 0);
  const found = `${overdue} of ${queue.delayed} overdue`;
  return finding(`delayed jobs of ${queue.name}`, overdue > 0 ? "bad" : "ok", found, {
    reason: "due jobs are not made ready, which workers do when they look for the next job",
    remedy: "make sure that a worker of this queue runs and can reach Redis",
  });
}

function doubts({ queue }: QueueReading): Finding {
  const name = `doubts of ${queue.name}`;
  if (queue.inDoubt === 0) return ok(name, "none");
  return finding(name, "warn", `${queue.inDoubt}, the oldest since ${queue.oldestDoubtSince}`, {
    reason: "nobody can know whether these side effects happened, and their jobs wait for a person",
    remedy: "holdfast doubts list, then holdfast doubts resolve",
  });
}

async function stuckDoubts(store: QueueStore): Promise<Finding> {
  const { unlisted, stale, open } = await findStuckDoubts(store);
  const parts = [
    [unlisted, "say in doubt with nothing to resolve"],
    [stale, "are listed and cannot be resolved"],
    [open, "have completed with an effect still open"],
  ] as const;
  const found = parts
    .filter(([ids]) => ids.length > 0)
    .map(([ids, what]) => `${ids.length} ${what} (${ids[0]})`);
  const name = `resolving doubts of ${store.queue}`;
  if (found.length === 0) return ok(name, "nothing is stuck");
  return finding(name, "bad", found.join("; "), {
    reason: "a job waits for an answer that nobody can give",
    remedy:
      "make sure that a worker of this queue runs, which repairs what a crash left; else retry the jobs by hand",
  });
}

async function encryption(store: QueueStore, keys: readonly EncryptionKey[]): Promise<Finding> {
  const counts = [...(await countEncryptionKeys(store))].sort(([a], [b]) => a.localeCompare(b));
  const isMissing = (id: string) => id !== "" && !keys.some((key) => key.id === id);
  const missing = counts.map(([id]) => id).filter(isMissing);
  const found = counts.map(([id, count]) => `${count} ${id === "" ? "not encrypted" : `with key ${id}`}`);
  return finding(
    `encryption of ${store.queue}`,
    missing.length === 0 ? "ok" : "bad",
    found.length === 0 ? "no job waits" : `of the next jobs ${found.join(", ")}`,
    {
      reason: "a job whose key is missing waits for a worker that has it",
      remedy: `add the keys ${missing.join(", ")} to HOLDFAST_ENCRYPTION_KEYS of every process`,
      code: "DECRYPTION_FAILED",
    },
  );
}

const encryptedWith = loadScript(import.meta.url, "encrypted-with.lua", listOf(either(text, integer)));
/** Of the waiting jobs, those with priority and the delayed ones. */
const READ_OF_EACH = 100;

/** Counts the next jobs of a queue by the id of the key that they are encrypted with; "" for those that are not encrypted. */
async function countEncryptionKeys({ client, keys }: QueueStore): Promise<Map<string, number>> {
  const reply = await encryptedWith.run(client, [keys.waiting], [keys.start, READ_OF_EACH]);
  const counts = new Map<string, number>();
  for (let at = 0; at < reply.length; at += 2) counts.set(String(reply[at] ?? ""), Number(reply[at + 1]));
  return counts;
}

/** Checks the effects that no job runs: what Redis has lost of them, and their doubts. Nothing is said where all is well, or there are none. */
export async function diagnoseGuard(stores: QueueStores): Promise<Finding[]> {
  const places = storesOfGuard(stores);
  const losses = await Promise.all(places.map(diagnoseLoss));
  const { count, oldestAt = 0 } = await countDoubts(places);
  const doubts = finding("doubts of guards", "warn", `${count}, the oldest since ${isoTime(oldestAt)}`, {
    reason: "nobody can know whether these side effects happened, and no call runs them again",
    remedy: "holdfast doubts list, then holdfast doubts resolve",
  });
  return [...losses.filter(({ verdict }) => verdict !== "ok"), ...(count > 0 ? [doubts] : [])];
}

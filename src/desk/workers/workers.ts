import { z } from "zod";
import { queueOfPartition } from "../../core/bullmq/store/partitions.ts";
import type { QueueStore, QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { INTERNAL_QUEUE, NOTICE_QUEUE } from "../../core/job/internal-queue.ts";
import { quietKey } from "../../core/watch/heartbeat.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { suggestion } from "../../platform/lib/did-you-mean.ts";
import { nearestTime } from "../../platform/lib/iso-time.ts";
import { parseInput } from "../../platform/lib/parse-json.ts";
import { redisNow } from "../../platform/redis/fitness/clock.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { integer } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { type Act, LIBRARY, onRecord, storedReason } from "../audit/audit-log.ts";
import { quietSchema } from "../overview/overview.ts";
import { type SeenSince, sinceArgument } from "../queues/curbs.ts";
import { type QuietAct, quietRecord } from "./quiet-records.ts";

const setQuiet = loadScript(import.meta.url, "set-quiet.lua", integer);

export const workerSchema = z.object({
  name: z.string(),
  queues: z.array(z.string()).meta({ description: "Those of the application that it claims from." }),
  quiet: quietSchema
    .omit({ hasHeard: true })
    .nullable()
    .meta({ description: "By whom and why it was told to claim no more jobs; null if it was not." }),
});
export type WorkerView = Readonly<z.output<typeof workerSchema>>;

// From JavaScript, anything can come.
const quietActSchema = z.object({
  reason: z.string().refine((text) => text.trim() !== "", "expected a text"),
  by: z.string(),
});
type WantedQuiet = Readonly<z.output<typeof quietActSchema>>;

/** An operator's hand on worker processes, by the names that the overview shows. */
export interface WorkerOperator {
  /**
   * Tells one worker process to claim no more jobs, nor acts and notices. It hears that with its next heartbeat, within five seconds. Its
   * running jobs go on; it stays alive, and quiet until it is woken or stopped.
   *
   * @param act the reason is shown while it is quiet
   * @param seen since when it was quiet as you have seen it, ISO 8601; null: it was not. If that has changed, nothing happens
   *   @default whatever it is
   * @throws HoldfastError `WORKER_NOT_FOUND`, `INVALID_REQUEST` without a reason, `CHANGED_MEANWHILE`
   */
  quiet(name: string, act: WantedQuiet, seen?: SeenSince): Promise<WorkerView>;
  /** Lets a quiet worker claim jobs again. @param seen as for `quiet` @throws HoldfastError `WORKER_NOT_FOUND`, `CHANGED_MEANWHILE` */
  wake(name: string, act?: Act, seen?: SeenSince): Promise<WorkerView>;
}

export function openWorkerOperator(stores: QueueStores, queues: readonly string[]): WorkerOperator {
  const audit = stores.of(INTERNAL_QUEUE);
  const all = () => [...stores.partitionsOf(queues), audit, stores.of(NOTICE_QUEUE)];
  const recorded = async (as: string, name: string, { reason, by }: Act, act: () => Promise<unknown>) => {
    const about = reason === undefined ? `worker ${name}` : `worker ${name}: ${reason}`;
    await onRecord(audit, { as, evidence: storedReason(audit, about), by }, act);
  };

  async function quiet(name: string, wanted: WantedQuiet, seen?: SeenSince): Promise<WorkerView> {
    const { reason, by } = parseInput(quietActSchema, wanted);
    const parts = await partsOf(name, all());
    const act = { reason, by, since: Math.floor(await redisNow(stores.client)) };
    await recorded("worker-quieted", name, act, () => quietAll(parts, act, seen));
    return viewOf(parts, { reason, by, since: nearestTime(act.since) });
  }

  async function wake(name: string, act: Act, seen?: SeenSince): Promise<WorkerView> {
    const parts = await partsOf(name, all());
    await recorded("worker-woken", name, act, () => wakeAll(parts, seen));
    return viewOf(parts, null);
  }

  // Each call as a whole must be done in time.
  return {
    quiet: (name, act, seen) => inTime(quiet(name, act, seen)),
    wake: (name, act = { by: LIBRARY }, seen) => inTime(wake(name, act, seen)),
  };
}

/** What a worker process is in one partition of a queue. */
interface WorkerPart {
  readonly store: QueueStore;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

/** @throws HoldfastError `WORKER_NOT_FOUND` */
async function partsOf(name: string, stores: readonly QueueStore[]): Promise<WorkerPart[]> {
  const found = await Promise.all(
    stores.map(async (store) => ({
      store,
      heartbeat: await store.client.hget(store.keys.own("workers"), name),
    })),
  );
  const parts = found.flatMap(({ store, heartbeat }) =>
    heartbeat === null ? [] : { store, name, startedAt: startOf(heartbeat) },
  );
  if (parts.length === 0) throw await workerNotFound(name, stores);
  return parts;
}

function startOf(heartbeat: string): number {
  const { startedAt }: { readonly startedAt?: unknown } = JSON.parse(heartbeat);
  return Number(startedAt);
}

async function workerNotFound(name: string, stores: readonly QueueStore[]): Promise<HoldfastError> {
  const known = await Promise.all(stores.map(({ client, keys }) => client.hkeys(keys.own("workers"))));
  const names = [...new Set(known.flat())].sort();
  const others = suggestion(name, names, `known: ${names.join(", ") || "none"}`);
  return new HoldfastError(
    "WORKER_NOT_FOUND",
    `There is no worker "${name}", or it is gone; ${others}. Nothing was done`,
  );
}

/** The first part decides whether it is as it was seen. Whoever dies in between leaves a worker that is shown as quiet in some queues. */
async function quietAll(
  [first, ...others]: readonly WorkerPart[],
  act: QuietAct,
  seen: SeenSince | undefined,
): Promise<void> {
  if (first === undefined) return;
  const done = await tell(first, act, seen);
  if (done === 0) throw changed(first.name, seen);
  if (done < 0) throw new HoldfastError("WORKER_NOT_FOUND", `The worker "${first.name}" has stopped`);
  for (const part of others) await tell(part, act);
}

/** What was told to be quiet in some parts only is woken there. */
async function wakeAll(parts: readonly WorkerPart[], seen: SeenSince | undefined): Promise<void> {
  let woken = 0;
  for (const part of parts) if ((await tell(part, undefined, seen)) === 1) woken += 1;
  const [first] = parts;
  if (woken === 0 && first !== undefined) throw changed(first.name, seen);
}

/** @returns as its script */
async function tell(
  { store, name, startedAt }: WorkerPart,
  act: QuietAct | undefined,
  seen?: SeenSince,
): Promise<number> {
  const record = quietRecord(store, startedAt, act);
  const keys = [store.keys.own("workers"), quietKey(store)];
  return await setQuiet.run(store.client, keys, [name, startedAt, record, sinceArgument(seen)]);
}

function changed(name: string, seen: SeenSince | undefined): HoldfastError {
  const what = seen === null ? "was told to be quiet" : "was told something else";
  return new HoldfastError("CHANGED_MEANWHILE", `The worker ${name} ${what} meanwhile. Nothing was done`);
}

function viewOf(parts: readonly WorkerPart[], quiet: WorkerView["quiet"]): WorkerView {
  const own: readonly string[] = [INTERNAL_QUEUE, NOTICE_QUEUE];
  const names = parts.map(({ store }) => queueOfPartition(store.queue));
  const [{ name } = { name: "" }] = parts;
  return { name, queues: [...new Set(names)].filter((queue) => !own.includes(queue)), quiet };
}

import type { Settings } from "../../../platform/config/settings.ts";
import { isoTime } from "../../../platform/lib/iso-time.ts";
import type { Logger } from "../../../platform/lib/logger.ts";
import { ageOf, type Moment, momentNow } from "../../../platform/lib/moment.ts";
import { type Running, stopOnce } from "../../../platform/lib/running.ts";
import { redisUrl } from "../../../platform/redis/connect.ts";
import type { RedisConnection } from "../../../platform/redis/connection.ts";
import {
  createEpoch,
  type Epoch,
  epochComparison,
  type KnownLayout,
  type Loss,
} from "../../../platform/redis/fitness/epoch.ts";
import { type EpochFile, epochFile } from "../../../platform/redis/fitness/epoch-file.ts";
import { inTime } from "../../../platform/redis/redis-errors.ts";
import { text } from "../../../platform/redis/reply-shape.ts";
import { loadScript } from "../../../platform/redis/script.ts";
import { openWriters } from "../../../platform/redis/writers.ts";
import type { Application, QueueSettings } from "../../job/application.ts";
import { Layouts, partitionNames, queueOfPartition } from "./partitions.ts";
import { queueKeys } from "./queue-keys.ts";

/** The epochs of an application's partitions. In a Redis Cluster each is stored with its partition, and can be lost alone. */
export interface Epochs extends Running {
  /** Of any partition; one that is not the application's is checked from the first call on. */
  of(partition: string): Epoch;
  /** Kept up to date. */
  readonly layouts: Layouts;
  /** Called when a partition has lost data, and when a new epoch is accepted. */
  onLoss(listener: (partition: string) => Promise<void>): void;
}

const CHECK_EVERY_MS = 1_000;
/** Where the last check has found that nothing was counted since the one before: a little less than two. */
const QUIET_MS = 1_700;

/**
 * Starts comparing Redis with what this process, or one before it, has seen.
 *
 * @param isKept whether those that are seen are kept in the data directory: a role runs for long, and has successors
 */
export async function openEpochs(
  client: RedisConnection,
  { queues, queueSettings: declared }: Application,
  settings: Settings,
  log?: Logger,
  isKept = false,
): Promise<Epochs> {
  const { HOLDFAST_PREFIX: prefix, HOLDFAST_DURABILITY: durability, HOLDFAST_DATA_DIR: dataDir } = settings;
  const file = epochFile(dataDir, redisUrl(settings), prefix);
  const before = file.read();
  const writers = await openWriters(client, durability);
  const listeners: ((partition: string) => Promise<void>)[] = [];
  const epochs = new Map<string, Epoch>();
  const layouts = new Layouts();
  const compare = epochComparison(client, durability);
  const of = (partition: string): Epoch => {
    const known = epochs.get(partition);
    if (known !== undefined) return known;
    const epoch = createEpoch({
      compare,
      key: queueKeys(prefix, partition).epoch,
      durability,
      write: writers.write,
      remembered: before.get(partition),
      countOf: file.countOf,
      layout: knownLayout({ client, prefix, partition, layouts, declared, first: of }),
      async onLoss(loss) {
        await Promise.all(listeners.map((listener) => listener(partition)));
        report(log, partition, loss);
      },
    });
    epochs.set(partition, epoch);
    return epoch;
  };
  const keep = isKept && log ? createKeeper(file, log) : undefined;

  const beats = await startBeats(client, {
    count: () => [...epochs.values()].reduce((sum, { remembered }) => sum + remembered.count, 0),
    async check() {
      const areKnown = await checkAll([...new Set([...queues, ...epochs.keys()])].map(of));
      // The others, where the queue has just been divided.
      const all = queues.flatMap((queue) => partitionNames(queue, layouts.of(queue)));
      await checkAll(all.filter((name) => !epochs.has(name)).map(of));
      keep?.(epochs);
      return areKnown;
    },
  });
  return {
    of,
    layouts,
    onLoss: (listener) => void listeners.push(listener),
    stop: stopOnce(async () => {
      beats.stop();
      keep?.(epochs);
      await writers.stop();
    }),
  };
}

interface Beats {
  /** Of all that was submitted and reserved. */
  count(): number;
  /** @returns whether all were found as they should be */
  check(): Promise<boolean>;
}

/** Checks each second, and each second time where nothing was counted meanwhile. The first check is over when it resolves. */
async function startBeats(client: RedisConnection, { count, check }: Beats) {
  let quietSince: Moment | undefined;
  let quietCount = 0;

  async function beat(): Promise<void> {
    // A retrying connection would keep the command until Redis is back; it checks then anyway.
    if (client.status !== "ready") return;
    const [before, startedAt] = [count(), momentNow()];
    const areKnown = await check();
    quietCount = count();
    quietSince = areKnown && quietCount === before ? startedAt : undefined;
  }

  const timer = setInterval(() => {
    const isQuiet = count() === quietCount && quietSince !== undefined && ageOf(quietSince) < QUIET_MS;
    if (!isQuiet) void beat();
  }, CHECK_EVERY_MS);
  client.on("ready", beat);
  await beat();
  return {
    stop() {
      clearInterval(timer);
      client.off("ready", beat);
    },
  };
}

/** @returns whether all were found as they should be */
async function checkAll(epochs: readonly Epoch[]): Promise<boolean> {
  const checked = Promise.allSettled(epochs.map((epoch) => epoch.check()));
  return await inTime(checked).then(
    (results) => results.every(({ status }) => status === "fulfilled"),
    () => false,
  );
}

interface PartOfQueue {
  readonly client: RedisConnection;
  readonly prefix: string;
  readonly partition: string;
  readonly layouts: Layouts;
  readonly declared: ReadonlyMap<string, QueueSettings>;
  /** The epoch of a queue's first partition, whose layout counts. */
  readonly first: (queue: string) => Epoch;
}

/** The first partition's layout counts; the others follow it. */
function knownLayout({ client, prefix, partition, layouts, declared, first }: PartOfQueue): KnownLayout {
  const queue = queueOfPartition(partition);
  const partitions = partition === queue ? (declared.get(queue)?.partitions ?? 1) : 1;
  return {
    known: () => layouts.textOf(queue),
    first: partitions === 1 ? "" : String(partitions),
    async agree(found) {
      if (found === layouts.textOf(queue)) return found;
      if (partition === queue) {
        layouts.learn(queue, found);
        return found;
      }
      await first(queue).check();
      const layout = layouts.textOf(queue);
      if (found === layout) return found;
      return await setLayout(client, prefix, { partition, found, layout });
    },
  };
}

/** Stores the epochs seen for the processes to come, whenever they have changed. */
function createKeeper(file: EpochFile, log: Logger): (epochs: ReadonlyMap<string, Epoch>) => void {
  let kept = "";
  return (epochs) => {
    const seen = new Map(
      [...epochs]
        .map(([queue, { remembered }]) => [queue, remembered] as const)
        .filter(([, { id }]) => id !== ""),
    );
    const text = JSON.stringify([...seen]);
    if (text === kept) return;
    try {
      file.write(seen);
    } catch (error) {
      // Running processes still remember.
      if (kept === "") log.warn({ reason: String(error) }, "the epochs seen cannot be stored");
    }
    kept = text;
  };
}

function report(log: Logger | undefined, queue: string, loss: Loss | undefined): void {
  if (loss === undefined) {
    log?.warn(
      { queue },
      "the data loss is accepted, or nothing was acknowledged yet; going on in a new epoch",
    );
    return;
  }
  const { since, known, found, evicted } = loss;
  log?.error(
    { code: "STORE_ROLLED_BACK", queue, since: isoTime(since), known, found, evicted },
    "Redis has lost data that it had acknowledged: no job is claimed and no effect begins until that is accepted (holdfast store accept-loss)",
  );
}

const setScript = loadScript(import.meta.url, "set-layout.lua", text);

/** @returns the layout that stands there now: the new one, unless it was no longer as found */
export async function setLayout(
  client: RedisConnection,
  prefix: string,
  { partition, found, layout }: { partition: string; found: string; layout: string },
): Promise<string> {
  return await setScript.run(client, [queueKeys(prefix, partition).epoch], [found, layout]);
}

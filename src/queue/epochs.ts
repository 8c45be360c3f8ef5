import type { Settings } from "../config/settings.ts";
import { isoTime } from "../lib/iso-time.ts";
import { type Running, stopOnce } from "../lib/running.ts";
import { redisUrl } from "../redis/connect.ts";
import type { RedisConnection } from "../redis/connection.ts";
import { createEpoch, type Epoch, type Loss } from "../redis/epoch.ts";
import { type EpochFile, epochFile } from "../redis/epoch-file.ts";
import { inTime } from "../redis/redis-errors.ts";
import { openWriters } from "../redis/replicas.ts";
import type { Logger } from "../telemetry/logger.ts";
import { queueKeys } from "./queue-keys.ts";

export interface EpochsOptions {
  readonly client: RedisConnection;
  readonly queues: readonly string[];
  readonly settings: Settings;
  readonly log: Logger | undefined;
  /** Whether the epochs that are seen are kept in the data directory: a role runs for long, and has successors. */
  readonly isKept: boolean;
}

/** The epochs of an application's queues. In a Redis Cluster each is stored with its queue, and can be lost alone. */
export interface Epochs extends Running {
  /** Of any queue; one that is not the application's is checked from the first call on. */
  of(queue: string): Epoch;
  /** Called when a queue has lost data, and when a new epoch is accepted. */
  onLoss(listener: (queue: string) => Promise<void>): void;
}

const CHECK_EVERY_MS = 1_000;

/** Starts comparing Redis with what this process, or one before it, has seen. */
export async function openEpochs(options: EpochsOptions): Promise<Epochs> {
  const { client, queues, settings, log, isKept } = options;
  const { HOLDFAST_PREFIX: prefix, HOLDFAST_DURABILITY: durability, HOLDFAST_DATA_DIR: dataDir } = settings;
  const file = epochFile(dataDir, redisUrl(settings), prefix);
  const before = file.read();
  const writers = await openWriters(client, durability);
  const listeners: ((queue: string) => Promise<void>)[] = [];
  const open = (queue: string) =>
    createEpoch({
      client,
      key: queueKeys(prefix, queue).epoch,
      durability,
      write: writers.write,
      remembered: before.get(queue),
      countOf: file.countOf,
      async onLoss(loss) {
        await Promise.all(listeners.map((listener) => listener(queue)));
        report(log, queue, loss);
      },
    });
  const epochs = new Map(queues.map((queue) => [queue, open(queue)]));
  const keep = isKept && log ? createKeeper(file, log) : undefined;

  async function beat(): Promise<void> {
    // A retrying connection would keep the command until Redis is back; it checks then anyway.
    if (client.status !== "ready") return;
    await inTime(Promise.allSettled([...epochs.values()].map((epoch) => epoch.check()))).catch(() => {});
    keep?.(epochs);
  }

  const check = () => void beat();
  const timer = setInterval(check, CHECK_EVERY_MS);
  client.on("ready", check);
  await beat();
  return {
    of(queue) {
      const known = epochs.get(queue);
      if (known !== undefined) return known;
      const epoch = open(queue);
      epochs.set(queue, epoch);
      return epoch;
    },
    onLoss: (listener) => void listeners.push(listener),
    stop: stopOnce(async () => {
      clearInterval(timer);
      client.off("ready", check);
      keep?.(epochs);
      await writers.stop();
    }),
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
  const { since, known, found } = loss;
  log?.error(
    { code: "STORE_ROLLED_BACK", queue, since: isoTime(since), known, found },
    "Redis has lost data that it had acknowledged: no job is claimed and no effect begins until that is accepted (holdfast store accept-loss)",
  );
}

import { setTimeout as pause } from "node:timers/promises";
import slotOf from "cluster-key-slot";
import { Cluster } from "ioredis";
import type { Durability } from "../config/variables.ts";
import type { HoldfastError } from "../errors/holdfast-error.ts";
import { type Running, stopOnce } from "../lib/running.ts";
import { isNotSent, isSentAtOnce } from "./cluster/slot-guard.ts";
import { duplicate, isReadOnly, modeOf, type RedisConnection, whenReady } from "./connection.ts";
import { redisUnavailable, START_DEADLINE_MS } from "./redis-errors.ts";
import { type Confirmation, confirmationOf } from "./replicas/confirmation.ts";
import { isNoScript, type RedisCommand, type Script } from "./script.ts";

/** The reply of a script that writes. */
export interface Written<Reply> {
  readonly reply: Reply;
  /** Why what it wrote is not as durable as configured; undefined where it is. */
  readonly unconfirmed: HoldfastError | undefined;
}

/** Runs a script that writes, and waits for the confirmation that the replicas have it. */
export type Writer = <Reply>(
  script: Script<Reply>,
  keys: readonly string[],
  args: readonly (string | number)[],
) => Promise<Written<Reply>>;

export interface Writers extends Running {
  readonly write: Writer;
}

/**
 * Without a promise about replicas, a write is confirmed by its reply.
 *
 * @throws HoldfastError `STORE_UNAVAILABLE` when Redis cannot be reached within 5 s
 */
export async function openWriters(client: RedisConnection, durability: Durability): Promise<Writers> {
  if (durability.level === "replica")
    return await replicatedWriters(client, confirmationOf(client, durability));
  const write: Writer = async (script, keys, args) => ({
    reply: await script.run(client, keys, args),
    unconfirmed: undefined,
  });
  return { write, stop: async () => {} };
}

/**
 * `WAIT` covers only the writes of its own connection, and blocks it. So these writes have their own: on the other one, locks are
 * still renewed and reads answered while a replica is away. The client resends nothing by itself, because on a new connection
 * `WAIT` has nothing to wait for. It must then reject what was lost, which ioredis only does with a bound of retries.
 */
async function replicatedWriters(client: RedisConnection, confirmation: Confirmation): Promise<Writers> {
  const own = duplicate(client, {
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    reconnectOnError: isReadOnly,
  });
  // The other connection's owner reports that Redis is away.
  own.on("error", () => {});
  await whenReady(own, START_DEADLINE_MS).catch((error: unknown) => {
    own.disconnect();
    throw error;
  });
  return {
    write: createGroupWriter({ client: own, confirmation, isRetrying: modeOf(client) === "retrying" }),
    stop: stopOnce(async () => own.disconnect()),
  };
}

interface GroupWriterOptions {
  /** Used for nothing else: `WAIT` blocks it. */
  readonly client: RedisConnection;
  readonly confirmation: Confirmation;
  /** Whether a write whose reply was lost is sent again: nobody waits for it. */
  readonly isRetrying: boolean;
}

interface PendingWrite {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
  readonly askedAt: number;
  readonly resolve: (written: Written<unknown>) => void;
  readonly reject: (error: unknown) => void;
  /** Whether Redis gets the script's source. */
  isWhole: boolean;
  moves: number;
}

/** From the call to the answer. With the network around it, less than the time in which a submission is answered. */
const CONFIRMED_WITHIN_MS = 1_000;
const WAIT_LEAST_MS = 100;
/** By then the caller has been answered. A write that was not sent is dropped; otherwise writes would pile up. */
const SENT_WITHIN_MS = 1_200;
/** A slot does not move more often than this within one write. */
const MOVES_MAX = 4;
const TOGETHER_MAX = 64;
const RESEND_PAUSE_MS = 50;

/**
 * Sends writes to each master in groups, each followed by one `WAIT`. Writes that come while a group is under way go with the next, so
 * that all of them wait for the replicas once. A master whose replicas are away delays no other.
 */
function createGroupWriter(options: GroupWriterOptions): Writer {
  const groups = new Map<string, WriteGroup>();
  const send = (write: PendingWrite) => {
    const { name, master } = groupOf(options.client, write.keys);
    const group = groups.get(name) ?? new WriteGroup(options, master, send);
    groups.set(name, group);
    group.add(write);
  };
  return <Reply>(script: Script<Reply>, keys: readonly string[], args: readonly (string | number)[]) =>
    new Promise<Written<Reply>>((resolvePromise, reject) => {
      // The connection lets no reply of another shape through.
      const resolve = (written: Written<unknown>) => resolvePromise(written as Written<Reply>);
      send({ script, keys, args, askedAt: performance.now(), resolve, reject, isWhole: false, moves: 0 });
    });
}

/**
 * In a pipeline, all keys must be of nodes that the client knows as one group. A slot that has to be looked up first, or is open, has a
 * group of its own: it is sent late or refused, and all of a pipeline with it.
 */
function groupOf(client: RedisConnection, [key = ""]: readonly string[]) {
  if (!(client instanceof Cluster)) return { name: "", master: "" };
  const slot = slotOf(key);
  const nodes = client.slots[slot] ?? [];
  const [master = ""] = nodes;
  const name = nodes.join(";");
  return { name: isSentAtOnce(client, slot, master) ? name : `${name} ${slot}`, master };
}

/** The writes to one master, or for one slot. */
class WriteGroup {
  readonly #options: GroupWriterOptions;
  /** `host:port` in a cluster. */
  readonly #master: string;
  readonly #sendAgain: (write: PendingWrite) => void;
  #waiting: PendingWrite[] = [];
  #isSending = false;

  constructor(options: GroupWriterOptions, master: string, sendAgain: (write: PendingWrite) => void) {
    this.#options = options;
    this.#master = master;
    this.#sendAgain = sendAgain;
  }

  add(write: PendingWrite): void {
    this.#waiting.push(write);
    if (!this.#isSending) void this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    while (this.#waiting.length > 0) {
      const writes = this.#waiting.splice(0, TOGETHER_MAX).filter((write) => !this.#dropLate(write));
      if (writes.length > 0) await this.#sendTogether(writes);
    }
    this.#isSending = false;
  }

  #dropLate({ askedAt, reject }: PendingWrite): boolean {
    const isLate = !this.#options.isRetrying && performance.now() - askedAt > SENT_WITHIN_MS;
    if (isLate) reject(redisUnavailable());
    return isLate;
  }

  async #sendTogether(writes: readonly PendingWrite[]): Promise<void> {
    const { client, confirmation } = this.#options;
    const waited = performance.now() - Math.min(...writes.map(({ askedAt }) => askedAt));
    const waitMs = Math.round(Math.max(WAIT_LEAST_MS, CONFIRMED_WITHIN_MS - waited));
    const scripts = writes.map(({ script, keys, args, isWhole }) =>
      script.command(client, keys, args, isWhole),
    );
    const replies = await inRow(client, [...scripts, ...confirmation.commands(this.#master, waitMs)]);
    const unconfirmed = await confirmation.unconfirmed(replies.slice(writes.length));
    for (const [index, write] of writes.entries()) this.#answer(write, replies[index], unconfirmed);
  }

  #answer(write: PendingWrite, reply: unknown, unconfirmed: HoldfastError | undefined): void {
    if (reply instanceof Error) this.#repairOrReject(write, reply);
    else write.resolve({ reply, unconfirmed });
  }

  #repairOrReject(write: PendingWrite, error: Error): void {
    const repaired = this.#repair(write, error);
    if (repaired === undefined) write.reject(error);
    else repaired.then(() => this.#sendAgain(write), write.reject);
  }

  /** @returns resolves when the write can be sent again; undefined if it must not */
  #repair(write: PendingWrite, error: Error): Promise<unknown> | undefined {
    const { client, isRetrying } = this.#options;
    if (isNoScript(error) && !write.isWhole) {
      write.isWhole = true;
      return Promise.resolve();
    }
    if (isNotSent(error) && write.moves < MOVES_MAX) {
      write.moves += 1;
      return Promise.resolve();
    }
    if (isMoved(error) && write.moves < MOVES_MAX) {
      write.moves += 1;
      return learnSlot(client, write.keys);
    }
    return isRetrying && isLost(error) && client.status !== "end" ? pause(RESEND_PAUSE_MS) : undefined;
  }
}

/** Sends commands behind each other over one connection. In a cluster they go to the node of the first key. Never rejects. */
async function inRow(client: RedisConnection, commands: readonly RedisCommand[]): Promise<unknown[]> {
  try {
    const answers = await client.pipeline(commands.map((command) => [...command])).exec();
    return (answers ?? []).map(([error, reply]) => error ?? reply);
  } catch (error) {
    return commands.map(() => error);
  }
}

function isMoved({ message }: Error): boolean {
  return message.startsWith("MOVED ");
}

/** A cluster's client follows slots that moved only with single commands. */
async function learnSlot(client: RedisConnection, [key = ""]: readonly string[]): Promise<void> {
  await client.exists(key);
}

/** No reply, or one from a master that is a replica now. */
function isLost(error: Error): boolean {
  return error.name !== "ReplyError" || isReadOnly(error);
}

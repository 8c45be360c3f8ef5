import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { batchByTurn } from "../../../platform/lib/batch-by-turn.ts";
import { inEpoch, OTHER_EPOCH } from "../../../platform/redis/fitness/epoch.ts";
import { redisFault } from "../../../platform/redis/redis-errors.ts";
import { loadScript } from "../../../platform/redis/script.ts";
import type { WritableQueueStore } from "../../bullmq/store/queue-store.ts";

export type Reservation =
  /**
   * @param unconfirmed why Redis may lose it: then nothing may begin, and it must be released
   * @param fence grows with each reservation of the effect
   */
  | { readonly kind: "reserved"; readonly unconfirmed: HoldfastError | undefined; readonly fence: number }
  | { readonly kind: "done"; readonly result: string | null }
  /** @param times how often the job was deferred for it */
  | { readonly kind: "busy"; readonly ms: number; readonly times: number }
  | { readonly kind: "in-doubt" }
  /** @param key which has encrypted indexes of the ledger */
  | { readonly kind: "unreadable"; readonly key: string }
  | { readonly kind: "not-leased" }
  | { readonly kind: "cancelled" }
  /** The job has asked for effects before, and its ledger is gone. */
  | { readonly kind: "forgotten" };

export type Committed = "done" | "in-doubt" | "refused";

/** The arguments of one effect, as the scripts' heads list them. */
export type StepArgs = readonly (string | number)[];

/** The steps of a queue's ledgers that each attempt pays for: many travel in one command, each is atomic. */
export interface LedgerSteps {
  reserve(args: StepArgs): Promise<Reservation>;
  commit(args: StepArgs): Promise<Committed>;
}

const reserveScript = loadScript(import.meta.url, "reserve.lua");
const commitScript = loadScript(import.meta.url, "commit.lua");

/** Batch size. 4 and 8 measured fastest at concurrency 50. */
const TOGETHER_MAX = 8;

/** @param retentionMs how long a ledger is kept that no job uses and in which nothing is open */
export function openLedgerSteps(store: WritableQueueStore, retentionMs: number): LedgerSteps {
  return {
    reserve: batchByTurn({
      itemsMax: TOGETHER_MAX,
      run: (requests: readonly StepArgs[]) => reserveAll(store, requests),
    }),
    commit: batchByTurn({
      itemsMax: TOGETHER_MAX,
      run: (reports: readonly StepArgs[]) => commitAll(store, retentionMs, reports),
    }),
  };
}

// One text each way: profiles showed the client's work for each argument and each element of a reply.

async function reserveAll(
  { keys, epoch, fitness }: WritableQueueStore,
  requests: readonly StepArgs[],
): Promise<Reservation[]> {
  const confirming = fitness.confirm();
  if (confirming !== undefined) await confirming;
  const items = JSON.stringify(requests);
  const { result, unconfirmed } = await inEpoch<unknown[]>(epoch, async (id, count) => {
    const used = [keys.epoch, keys.doubts, keys.joinedJobs, keys.newLedgers];
    const args = [keys.ledgerStart, keys.start, id, count, items];
    const written = await epoch.write(reserveScript, used, args).catch(throwRedisFault);
    if (written.reply === OTHER_EPOCH) return OTHER_EPOCH;
    const [counted, result] = JSON.parse(String(written.reply)) as [number, unknown[]];
    return { count: counted, result, unconfirmed: written.unconfirmed };
  });
  return result.map((reply) => reservationOf(reply, unconfirmed));
}

async function commitAll(
  { client, keys }: WritableQueueStore,
  retentionMs: number,
  reports: readonly StepArgs[],
): Promise<Committed[]> {
  const args = [keys.ledgerStart, keys.start, retentionMs, JSON.stringify(reports)];
  const reply = await commitScript.run(client, [keys.doubts], args).catch(throwRedisFault);
  return JSON.parse(String(reply)) as Committed[];
}

export function throwRedisFault(error: unknown): never {
  throw redisFault(error);
}

function reservationOf(reply: unknown, unconfirmed: HoldfastError | undefined): Reservation {
  const [kind, detail, times] = reply as [Reservation["kind"], (string | number | null)?, number?];
  switch (kind) {
    case "done":
      return { kind, result: detail == null ? null : String(detail) };
    case "busy":
      return { kind, ms: Number(detail), times: Number(times) };
    case "reserved":
      return { kind, unconfirmed, fence: Number(detail) };
    case "unreadable":
      return { kind, key: String(detail) };
    case "in-doubt":
    case "not-leased":
    case "cancelled":
    case "forgotten":
      return { kind };
    default:
      throw new HoldfastError("INTERNAL", "The ledger returned an unknown answer");
  }
}

import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import type { Application } from "../../core/job/application.ts";

/** How much ended jobs may take, in bytes. */
export interface Budget {
  /** Undefined: all together. */
  readonly type: string | undefined;
  readonly bytes: number;
}

/** What the ended jobs of one type and state take in one partition. */
export interface Share {
  readonly state: "completed" | "failed";
  readonly type: string;
  readonly bytes: number;
  /** When the oldest of its jobs ended that may be removed, in seconds since 1970; undefined where there is none. */
  readonly oldest: number | undefined;
}

/** Those of the types, then that for all. */
export function budgetsOf({ jobs }: Pick<Application, "jobs">, keepBytes: number | undefined): Budget[] {
  const all = { type: undefined, bytes: keepBytes };
  return [...[...jobs.values()].map(({ type, keepBytes: bytes }) => ({ type, bytes })), all].flatMap(
    ({ type, bytes }) => (bytes === undefined ? [] : [{ type, bytes }]),
  );
}

export function bytesOf(shares: readonly Share[], type?: string): number {
  return sharesOf(shares, type).reduce((sum, { bytes }) => sum + bytes, 0);
}

/** @returns Infinity where no job may be removed */
export function oldestOf(shares: readonly Share[], type?: string): number {
  const never = Number.POSITIVE_INFINITY;
  return sharesOf(shares, type).reduce((least, { oldest = never }) => Math.min(least, oldest), never);
}

function sharesOf(shares: readonly Share[], type: string | undefined): readonly Share[] {
  return type === undefined ? shares : shares.filter((share) => share.type === type);
}

export function parseShares(
  reply: readonly (readonly [name: string, bytes: number, oldest: number])[],
): Share[] {
  return reply.flatMap(([name, bytes, oldest]) => shareOf(name, bytes, oldest < 0 ? undefined : oldest));
}

/** Reads what the ended jobs of each type take in all partitions: null where no worker has a budget. */
export async function readKept(partitions: readonly QueueStore[]) {
  const shares = (await Promise.all(partitions.map(readShares))).flat();
  return (type: string) => {
    const of = (state: Share["state"]) =>
      bytesOf(
        shares.filter((share) => share.state === state),
        type,
      );
    return { keptBytes: shares.length === 0 ? null : { completed: of("completed"), failed: of("failed") } };
  };
}

/**
 * Reads what the ended jobs of a partition take, by an estimate that workers keep. Nothing where no worker has a budget.
 *
 * @throws errors of Redis
 */
export async function readShares({ client, keys }: QueueStore): Promise<Share[]> {
  const sums = await client.hgetall(`${keys.start}budget`);
  return Object.entries(sums).flatMap(([name, bytes]) => shareOf(name, Number(bytes), undefined));
}

function shareOf(name: string, bytes: number, oldest: number | undefined): Share[] {
  const colon = name.indexOf(":");
  const state = name.slice(0, colon);
  if (state !== "completed" && state !== "failed") return [];
  return [{ state, type: name.slice(colon + 1), bytes, oldest }];
}

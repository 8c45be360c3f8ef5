import type { ErrorCode } from "../platform/errors/error-codes.ts";
import { type RedisConnection, serversOf } from "../platform/redis/connection.ts";

/** Why Redis takes no writes. */
export interface RefusedWrites {
  readonly why: string;
  readonly remedy: string;
  /** With which code submissions are refused meanwhile. */
  readonly code: ErrorCode;
}

/** A script that may write: Redis refuses it whenever it would refuse a write. It writes nothing. */
const PROBE = "#!lua\nreturn 1";

const known: readonly (RefusedWrites & { readonly sign: RegExp })[] = [
  {
    sign: /^NOREPLICAS/,
    why: "fewer replicas are in sync than min-replicas-to-write asks for",
    remedy: "connect the missing replicas, or ask for fewer: CONFIG SET min-replicas-to-write",
    code: "STORE_UNAVAILABLE",
  },
  {
    sign: /^MISCONF/,
    why: "Redis cannot write to its disk",
    remedy: "look at the disk (full?) and at Redis's log",
    code: "STORE_FULL",
  },
  {
    sign: /^OOM/,
    why: "Redis uses more memory than maxmemory",
    remedy: "give Redis more memory, or run more workers",
    code: "STORE_FULL",
  },
  {
    sign: /^READONLY/,
    why: "this server is a read-only replica",
    remedy: "point REDIS_URL at the master, or at the Sentinel set that knows it",
    code: "STORE_UNAVAILABLE",
  },
];

/** Asks each server that holds data whether it takes writes. @returns undefined when all do */
export async function findRefusedWrites(client: RedisConnection): Promise<RefusedWrites | undefined> {
  const found = await Promise.all(
    serversOf(client).map(async (server) => {
      const refusal: unknown = await server.eval(PROBE, 0).then(
        () => undefined,
        (error) => error,
      );
      return refusal === undefined ? undefined : meaningOf(refusal);
    }),
  );
  return found.find((refused) => refused !== undefined);
}

/** @throws what says nothing about writes */
function meaningOf(refusal: unknown): RefusedWrites {
  const meaning = refusal instanceof Error && known.find(({ sign }) => sign.test(refusal.message));
  if (!meaning) throw refusal;
  return meaning;
}

import { z } from "zod";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { withDeadline } from "../../platform/lib/deadline.ts";
import { isPostgres, type OutboxDatabase, requireOutbox, withDatabase } from "../../roles/outbox/database.ts";
import { RELAY_NAME } from "../../roles/outbox/relay.ts";
import { TABLE } from "../../roles/outbox/table.ts";

export const depthSchema = z.object({
  waiting: z.int().meta({ description: "Rows that no relay has submitted yet; counted up to 100,000." }),
  parked: z.int().meta({ description: "Rows that cannot be accepted as they are; counted up to 100,000." }),
  oldestWaitingMs: z.number().meta({ description: "How long the oldest row has waited; 0 if none waits." }),
  relays: z.int().meta({ description: "Relays that are connected to the database." }),
  added: z.int().meta({
    description:
      "Rows that were inserted since PostgreSQL's statistics began, also those of transactions that were rolled back. Some seconds old: of two readings it makes a rate.",
  }),
  removed: z.int().meta({ description: "Rows that were relayed or discarded since then, as above." }),
});
/** How much the outbox has. Times are milliseconds, by the database's clock. */
export type OutboxDepth = Readonly<z.output<typeof depthSchema>>;

const COUNTED_MAX = 100_000;
/** Somebody waits for the answer. */
const READ_MAX_MS = 1_500;

const counted = (state: string) =>
  `(SELECT count(*)::int FROM (SELECT 1 FROM ${TABLE} WHERE state = '${state}' LIMIT ${COUNTED_MAX}) counted)`;

/** Rows are added about in the order of their ids: of each ordering key, and of those without, the first is the oldest. */
const depth = `SELECT ${counted("waiting")} AS waiting, ${counted("parked")} AS parked,
  coalesce((SELECT extract(epoch FROM clock_timestamp() - min(greatest(changed_at, '1970-01-01Z'))) * 1000 FROM
    (SELECT changed_at FROM ${TABLE} WHERE state = 'waiting' AND changed_at <= '9999-12-31Z' LIMIT ${COUNTED_MAX}) waiting), 0)::float8 AS "oldestWaitingMs",
  (SELECT count(*)::int FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()) AS relays,
  pg_stat_get_tuples_inserted('${TABLE}'::regclass)::float8 AS added, pg_stat_get_tuples_deleted('${TABLE}'::regclass)::float8 AS removed`;

/** @throws HoldfastError `OUTBOX_NOT_FOUND`, `OUTBOX_VERSION_UNKNOWN`, `DATABASE_UNAVAILABLE` */
export async function readDepth(url: string | undefined): Promise<OutboxDepth> {
  return await readInOutbox(url, depthOf);
}

export async function depthOf(database: OutboxDatabase): Promise<OutboxDepth> {
  const [found] = await database.query<OutboxDepth>(depth, [RELAY_NAME]);
  if (found === undefined) throw late();
  return found;
}

/** Works with the outbox; a statement ends within 10 s. @throws HoldfastError `OUTBOX_NOT_FOUND`, `OUTBOX_VERSION_UNKNOWN`, `DATABASE_UNAVAILABLE` */
export async function inOutbox<T>(
  url: string | undefined,
  use: (database: OutboxDatabase) => Promise<T>,
): Promise<T> {
  if (url === undefined) throw new HoldfastError("OUTBOX_NOT_FOUND", "DATABASE_URL is not set");
  return await withDatabase(url, async (database) => {
    await requireOutbox(database);
    return await use(database);
  });
}

/** The same, within 1.5 s: only for reads, because the statement may go on after that. */
export async function readInOutbox<T>(...work: Parameters<typeof inOutbox<T>>): Promise<T> {
  return await withDeadline(inOutbox(...work), READ_MAX_MS, late);
}

function late(): HoldfastError {
  return new HoldfastError("DATABASE_UNAVAILABLE", "The database did not answer in time");
}

/**
 * Why no relay has anything to do there: `DATABASE_URL` is a name that applications use for databases without an outbox, too. Undefined if
 * one may have; while the database is away, a relay waits for it.
 */
export async function whyNoOutbox(url: string | undefined): Promise<string | undefined> {
  if (url === undefined || !isPostgres(url)) return "DATABASE_URL names no PostgreSQL";
  try {
    await readInOutbox(url, async () => {});
    return undefined;
  } catch (error) {
    if (!(error instanceof HoldfastError)) return "DATABASE_URL is no valid URL";
    const isWithout = error.code === "OUTBOX_NOT_FOUND" || error.code === "CONFIG_INVALID";
    return isWithout ? error.message : undefined;
  }
}

const SEEN_FOR_MS = 60_000;

/** Returns whether a database has an outbox, as of a minute ago at most. It never waits: false until it is known. */
export function openOutboxSight(url: string | undefined): () => boolean {
  let isThere = false;
  let seenAt = Number.NEGATIVE_INFINITY;
  return () => {
    const now = performance.now();
    if (url !== undefined && now - seenAt > SEEN_FOR_MS) {
      seenAt = now;
      void whyNoOutbox(url).then(
        (reason) => {
          isThere = reason === undefined;
        },
        () => {},
      );
    }
    return isThere;
  };
}

import { LayoutChanged } from "../../core/bullmq/store/partitions.ts";
import type { Receipt } from "../../core/job/submit-options.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import { mapInFlight } from "../../platform/lib/map-in-flight.ts";
import { malformed, parseJson } from "../../platform/lib/parse-json.ts";
import { orStop, type Running, stopOnce } from "../../platform/lib/running.ts";
import { messageOf } from "../../platform/lib/thrown.ts";
import { wait } from "../../platform/lib/wait.ts";
import { BYTES_MAX, type ClaimedRow, createClaimer, type LockedRows, rowFault } from "./claim.ts";
import { connectDatabase, type OutboxDatabase, QUERY_MS, requireOutbox } from "./database.ts";
import { storedProblem } from "./problem.ts";
import { IDLE_MAX_MS, NAMES_BYTES_MAX, namesTooLarge, rowTooLarge, TABLE } from "./table.ts";

/** What became of a row. `deferred`: Redis could not accept it, and it waits. */
export type RowOutcome = "accepted" | "duplicate" | "parked" | "deferred";

export interface RelayOptions {
  readonly databaseUrl: string;
  readonly submit: (input: unknown) => Promise<Receipt>;
  /** How long an idempotency key is remembered, in milliseconds. */
  readonly retentionMs: number;
  /** How long accepted rows stay, in milliseconds. 0: they are deleted at once. */
  readonly keepMs: number;
  readonly onRow: (row: Pick<ClaimedRow, "id" | "type">, outcome: RowOutcome, ageMs: number) => void;
  readonly log: Logger;
}

/** Rows that one look locks; as many again in chains. */
const LIMIT_MIN = 8;
const LIMIT_MAX = 1_024;
/** Rows that Redis accepts at a time: each waits no longer for its answer than a single one. */
const IN_FLIGHT_MAX = 128;
/** A notification wakes the relay at once; a lost one costs at most this. */
const POLL_MS = 1_000;
const FIRST_PAUSE_MS = 100;
const PAUSE_MAX_MS = 5_000;
/** What a submission may take once it was begun, with everything around it. */
const SUBMIT_MAX_MS = 5_000;
/** How long a row may wait because one relay hangs, in milliseconds: the server ends its session, and another relay tries. */
export const SILENCE_MAX_MS = IDLE_MAX_MS + PAUSE_MAX_MS + SUBMIT_MAX_MS;
/** A look that has lasted so long begins no further row: else a slow Redis would outlast the session. */
const LOOK_MAX_MS = IDLE_MAX_MS / 3;
const TRIM_EVERY_MS = 60_000;
const TRIM_MAX = 1_000;

/** As `pg_stat_activity` shows a relay's session. */
export const RELAY_NAME = "holdfast relay";

/**
 * Submits the rows of the outbox, the oldest first. Any number of relays may run.
 *
 * A row is removed after its job was accepted, so a crash in between submits it again, and its key makes that harmless.
 *
 * @throws HoldfastError `CONFIG_INVALID`, `DATABASE_UNAVAILABLE`, `OUTBOX_NOT_FOUND`, `OUTBOX_VERSION_UNKNOWN`
 */
export async function startRelay(options: RelayOptions): Promise<Running> {
  const waker = createWaker();
  const stop = new AbortController();
  const first = await openSession(options.databaseUrl, waker);
  const running = relayUntil(stop.signal, first, { ...options, waker, pauses: createPauses() });
  return {
    stop: stopOnce(async () => {
      stop.abort();
      waker.wake();
      await running;
    }),
  };
}

interface Relaying extends RelayOptions {
  readonly waker: Waker;
  readonly pauses: Pauses;
}

async function openSession(url: string, waker: Waker): Promise<OutboxDatabase> {
  const database = await connectDatabase(url, RELAY_NAME);
  const prepare = async () => {
    await requireOutbox(database);
    // The session of a relay that is paused or cut off must not keep its rows. A lost deletion is repeated, so it needs no fsync.
    await database.query(
      `SET idle_in_transaction_session_timeout = ${IDLE_MAX_MS}; SET lock_timeout = 2000;
        SET statement_timeout = ${QUERY_MS - 1_000}; SET synchronous_commit = off`,
    );
    await database.listen(waker.wake);
  };
  await orStop({ stop: database.end }, prepare());
  return database;
}

async function relayUntil(stop: AbortSignal, first: OutboxDatabase, relaying: Relaying): Promise<void> {
  let database: OutboxDatabase | undefined = first;
  let pauseMs = FIRST_PAUSE_MS;
  const onLook = () => {
    pauseMs = FIRST_PAUSE_MS;
  };
  while (!stop.aborted) {
    try {
      database ??= await openSession(relaying.databaseUrl, relaying.waker);
      await relayRows(stop, database, relaying, onLook);
    } catch (error) {
      relaying.log.warn(
        { reason: messageOf(error), againInMs: pauseMs },
        "the relay cannot use the database",
      );
      await wait(pauseMs, stop);
      pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS);
    }
    await database?.end();
    database = undefined;
  }
}

/** @returns when the relay stops @throws HoldfastError `DATABASE_UNAVAILABLE` */
async function relayRows(
  stop: AbortSignal,
  database: OutboxDatabase,
  relaying: Relaying,
  onLook: () => void,
): Promise<void> {
  const { keepMs, waker, pauses, onRow } = relaying;
  const find = createFinder(database, relaying, stop);
  let limit = LIMIT_MIN;
  let trimAt = keepMs > 0 ? 0 : Number.POSITIVE_INFINITY;
  while (!stop.aborted) {
    if (performance.now() >= trimAt) {
      const isMore = (await trim(database, keepMs)) === TRIM_MAX;
      trimAt = performance.now() + (isMore ? 0 : TRIM_EVERY_MS);
    }
    const readAt = performance.now();
    const { chains, hasMore, isCut } = await find(limit);
    const submitting = { ...relaying, readAt, stop };
    const ends = (await mapInFlight(chains, IN_FLIGHT_MAX, (chain) => submitChain(chain, submitting))).flat();
    await finish(database, ends, keepMs);
    await database.query("COMMIT");
    onLook();
    for (const { row, outcome } of ends) onRow(row, outcome, row.age_ms + performance.now() - readAt);
    limit = isCut ? Math.max(LIMIT_MIN, Math.floor(limit / 4)) : nextLimit(limit, chains.flat());
    const isIdle = !hasMore && ends.every(({ outcome }) => outcome === "deferred");
    if (isIdle) await waker.untilWoken(Math.min(POLL_MS, pauses.shortestMs()));
  }
}

/** A look begins a transaction. One that fails because of a row is followed by looks at each row alone, until that row is parked. */
function createFinder(database: OutboxDatabase, { pauses, log }: Relaying, stop: AbortSignal) {
  const { look, lookAtEach } = createClaimer(database);
  let isAtEach = false;
  return async (limit: number): Promise<LockedRows> => {
    while (!isAtEach) {
      try {
        await database.query("BEGIN");
        return await look(pauses.types(), limit);
      } catch (error) {
        if (rowFault(error) === undefined) throw error;
        log.warn({ reason: messageOf(error) }, "a row cannot be read: the relay looks at each alone");
        await database.query("ROLLBACK");
        await wait(FIRST_PAUSE_MS, stop);
        isAtEach = true;
      }
    }
    await database.query("BEGIN");
    const found = await lookAtEach(pauses.types(), LIMIT_MIN);
    isAtEach = found.hasMore && found.chains.flat().every((row) => row.unreadable === undefined);
    return found;
  };
}

function nextLimit(limit: number, rows: readonly ClaimedRow[]): number {
  const total = rows.reduce((sum, { bytes }) => sum + bytes, 0);
  return rows.length >= limit && total < BYTES_MAX / 4 ? Math.min(2 * limit, LIMIT_MAX) : limit;
}

interface RowEnd {
  readonly row: ClaimedRow;
  readonly outcome: RowOutcome;
  readonly jobId?: string;
  readonly problem?: string;
}

interface Submitting extends Relaying {
  /** By the process's clock, in milliseconds. */
  readonly readAt: number;
  readonly stop: AbortSignal;
}

/** Submits rows in order, as far as each was accepted. */
async function submitChain(chain: readonly ClaimedRow[], submitting: Submitting): Promise<RowEnd[]> {
  const ends: RowEnd[] = [];
  for (const [index, row] of chain.entries()) {
    // The first of a chain is submitted anyway: a relay that stops finishes what it has begun.
    if (index > 0 && (submitting.stop.aborted || submitting.pauses.has(row.type))) break;
    if (performance.now() - submitting.readAt > LOOK_MAX_MS) break;
    const end = await submitRow(row, submitting);
    ends.push(end);
    if (end.outcome === "parked" || end.outcome === "deferred") break;
  }
  return ends;
}

async function submitRow(
  row: ClaimedRow,
  { submit, readAt, retentionMs, pauses }: Submitting,
): Promise<RowEnd> {
  const ageMs = row.age_ms + performance.now() - readAt;
  try {
    if (row.unreadable !== undefined) throw unreadable(row.unreadable);
    // A row from the future says nothing about its age.
    if (Math.abs(ageMs) > ageMaxMs(retentionMs)) throw tooOld();
    if (row.name_bytes > NAMES_BYTES_MAX) throw namesTooLarge(row.name_bytes);
    if (row.is_too_large) throw rowTooLarge(row.bytes);
    const { id, duplicate } = await submit(submissionOfRow(row));
    pauses.end(row.type);
    return { row, outcome: duplicate ? "duplicate" : "accepted", jobId: id };
  } catch (error) {
    const mayPass = error instanceof LayoutChanged || (error instanceof HoldfastError && error.retryable);
    if (!mayPass) return { row, outcome: "parked", problem: storedProblem(error) };
    pauses.begin(row.type);
    return { row, outcome: "deferred" };
  }
}

/** A row that has waited longer is parked. @param retentionMs how long its key is remembered, in milliseconds @returns milliseconds */
export function ageMaxMs(retentionMs: number): number {
  return retentionMs - Math.min(SUBMIT_MAX_MS, retentionMs / 2);
}

/** If it was submitted before, its key may be forgotten, and this would be a second job. */
function tooOld(): HoldfastError {
  const message = "The row waited for about as long as its key is remembered: it could become a second job";
  return new HoldfastError("OUTBOX_ROW_TOO_OLD", message);
}

function unreadable(code: string): HoldfastError {
  return new HoldfastError("OUTBOX_ROW_UNREADABLE", `PostgreSQL cannot give the row: ${code}`);
}

/** By the rules of the API's bodies. @throws HoldfastError `INVALID_REQUEST`, `INVALID_PAYLOAD` */
function submissionOfRow({ type, payload, idempotency_key: idempotencyKey, options }: ClaimedRow): unknown {
  return {
    type,
    idempotencyKey,
    payload: payload === null ? undefined : read(payload, "/payload"),
    ...(options !== null && { options: read(options, "/options") }),
  };
}

function read(json: string, at: string): unknown {
  const { value, issues } = parseJson(json);
  if (issues.length === 0) return value;
  throw malformed(issues.map(({ pointer, message }) => ({ pointer: at + pointer, message })));
}

/** A row that was released has the problem that it was parked with before. */
const asParked = `(CASE WHEN ${TABLE}.problem IS NULL THEN ended.problem ELSE left(ended.problem, -1) || ',"isAgain":true}' END)`;

async function finish(database: OutboxDatabase, ends: readonly RowEnd[], keepMs: number): Promise<void> {
  const accepted = ends.filter(({ outcome }) => outcome === "accepted" || outcome === "duplicate");
  const parked = ends.filter(({ outcome }) => outcome === "parked");
  const ids = (of: readonly RowEnd[]) => of.map(({ row }) => row.id);
  if (accepted.length > 0 && keepMs === 0)
    await database.query(`DELETE FROM ${TABLE} WHERE id = ANY ($1::bigint[])`, [ids(accepted)]);
  if (accepted.length > 0 && keepMs > 0)
    await database.query(
      `UPDATE ${TABLE} SET state = 'accepted', changed_at = clock_timestamp() WHERE id = ANY ($1::bigint[])`,
      [ids(accepted)],
    );
  if (parked.length > 0)
    await database.query(
      `UPDATE ${TABLE} SET state = 'parked', changed_at = clock_timestamp(), problem = ${asParked}::json
        FROM unnest($1::bigint[], $2::text[]) AS ended (id, problem) WHERE ${TABLE}.id = ended.id`,
      [ids(parked), parked.map(({ problem }) => problem)],
    );
}

/** @returns how many rows it has deleted */
async function trim(database: OutboxDatabase, keepMs: number): Promise<number> {
  const deleted = await database.query(
    `DELETE FROM ${TABLE} WHERE id IN (SELECT id FROM ${TABLE} WHERE state = 'accepted'
      AND changed_at < clock_timestamp() - $1 * interval '1 millisecond' LIMIT ${TRIM_MAX} FOR UPDATE SKIP LOCKED) RETURNING id`,
    [keepMs],
  );
  return deleted.length;
}

type Pauses = ReturnType<typeof createPauses>;

/** Types that Redis does not accept for now, each tried again after a growing pause; others go on. */
function createPauses() {
  const paused = new Map<string, { readonly ms: number; readonly until: number }>();
  const leftMs = ({ until }: { readonly until: number }) => until - performance.now();
  const types = () => [...paused].filter(([, pause]) => leftMs(pause) > 0).map(([type]) => type);
  return {
    begin(type: string) {
      const last = paused.get(type);
      if (last !== undefined && leftMs(last) > 0) return; // another row of the same look
      const ms = Math.min(2 * (last?.ms ?? FIRST_PAUSE_MS / 2), PAUSE_MAX_MS);
      paused.set(type, { ms, until: performance.now() + ms });
    },
    end: (type: string) => void paused.delete(type),
    has: (type: string) => types().includes(type),
    types,
    /** Milliseconds until the first type is tried again. */
    shortestMs: () => Math.max(1, Math.min(...[...paused.values()].map(leftMs).filter((ms) => ms > 0))),
  };
}

type Waker = ReturnType<typeof createWaker>;

/** Wakes a relay that waits, or that is about to wait. */
function createWaker() {
  let woken = new AbortController();
  return {
    wake: () => woken.abort(),
    async untilWoken(ms: number) {
      await wait(ms, woken.signal);
      woken = new AbortController();
    },
  };
}

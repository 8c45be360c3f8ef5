import type { EffectCall } from "../core/job/effect.ts";
import type { Database } from "./database.ts";

/**
 * The statements that make, or complete, the table of database effects; safe to run again. The roles that run effects need `select`, `insert`,
 * `update` and `delete` on it.
 *
 * @example await pool.query(databaseEffectSql());
 */
export function databaseEffectSql(): string {
  return `-- Holdfast's database effects, version 1. PostgreSQL 13 or newer.
create table if not exists holdfast_effects (
  key text primary key,
  fence bigint not null,
  state text not null check (state in ('begun', 'done', 'not-done', 'horizon')),
  result text
) with (fillfactor = 70);
create index if not exists holdfast_effects_fence on holdfast_effects (fence);
insert into holdfast_effects (key, fence, state) values ('horizon', 0, 'horizon') on conflict do nothing;
comment on table holdfast_effects is 'Holdfast database effects, version 1';
`;
}

/**
 * Claims an effect's row: for a run as `begun`, for its probe as `not-done`. It waits for a transaction that has the row. A lower fence
 * never claims it from a higher one, nobody claims a row that is done, and no row below the horizon is claimed.
 *
 * An effect that Redis records as done must not be lost by a crash of PostgreSQL: `synchronous_commit = off` would lose it.
 */
const CLAIM = `
  insert into holdfast_effects as known (key, fence, state)
  select given.key, given.fence, given.state
  from (select $1::text as key, $2::text::bigint as fence, $3::text as state) as given
  where given.fence > coalesce((select fence from holdfast_effects where key = 'horizon'), 0)
  on conflict (key) do update set fence = excluded.fence, state = excluded.state
  where known.state = 'not-done' and known.fence < excluded.fence
  returning (select relnamespace::regnamespace::text from pg_class where pg_class.oid = known.tableoid) as schema,
    case current_setting('synchronous_commit') when 'off' then set_config('synchronous_commit', 'on', true) end as durability`;

/** In the transaction that claimed the row, and in no other. The work may have set its `search_path`. */
const finishIn = (schema: string) => `
  update ${schema}.holdfast_effects set state = 'done', result = $1::text
  where key = $2::text and state = 'begun' and xmin = pg_current_xact_id()::xid
  returning key`;

const READ = "select state, result, fence::text as fence from holdfast_effects where key = $1::text";

/** Effects that began before this one may end after it. */
const OWN = `
  update holdfast_effects
  set result = json_build_object('installation', $1::text, 'since', $2::text::bigint - 600000)::text
  where key = 'horizon' and result is null`;

const WAIT_AT_MOST = "select set_config('lock_timeout', $1::text, true)";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** A doubt that nobody has resolved for so long is left to a person. */
export const REMEMBERED_MS = 30 * DAY_MS;
const BATCH = 1_000;

/**
 * Made of a run's fence, which is Redis's time. The database's clock bounds it: if Redis's clock was ahead for a while, no later fence is
 * below it.
 */
const HORIZON = `least($1::text::bigint, (extract(epoch from now()) * 1000)::bigint) - ${REMEMBERED_MS}`;

/** Only forwards, and by a minute at least: many processes would wait for each other's transactions. */
const MOVE_HORIZON = `
  update holdfast_effects set fence = given.horizon from (select ${HORIZON} as horizon) as given
  where key = 'horizon' and fence < given.horizon - ${MINUTE_MS}
  returning key`;

const FORGET = `
  with old as (
    select key from holdfast_effects where fence < ${HORIZON} - ${DAY_MS} and state <> 'horizon'
    order by fence limit ${BATCH} for update skip locked
  ), gone as (
    delete from holdfast_effects using old where holdfast_effects.key = old.key returning 1
  )
  select count(*)::text as count from gone`;

/** An effect's row: claimed, in which schema, or as it is, because it could not be claimed; "none" where its fence is below the horizon. */
export type Known =
  | { readonly state: "claimed"; readonly schema: string }
  | { readonly state: "done"; readonly result: unknown }
  | { readonly state: Open };
type Open = "begun" | "not-done" | "none" | "not-ours";

/** One run of an effect. */
export interface EffectRow {
  readonly key: string;
  readonly fence: number;
  /** Of an installation that does not own the table: under which key an earlier version wrote the row, until when. */
  readonly former?: { readonly key: string; readonly until: number };
}

interface Owner {
  readonly installation: string;
  readonly since: number;
}

/** Of tables, once a transaction has found one that was committed. */
const owners = new WeakMap<object, Owner>();

/**
 * The installation that first used the table owns the effects' plain keys, which are those of earlier versions: these and later ones find
 * each other's rows. Every other one writes its name before them.
 */
export async function rowOf<Tx>(
  database: Database<Tx>,
  tx: Tx,
  { key, fence, installation }: Pick<EffectCall, "key" | "fence" | "installation">,
): Promise<EffectRow> {
  let owner = owners.get(database) ?? (await readOwner(database, tx));
  if (owner === undefined) {
    // Whoever comes second waits for the transaction of the first.
    await database.query(tx, OWN, [installation, String(fence)]);
    owner = await readOwner(database, tx);
  } else owners.set(database, owner);
  if (owner === undefined || owner.installation === installation) return { key, fence };
  return { key: `${installation}:${key}`, fence, former: { key, until: owner.since } };
}

async function readOwner<Tx>(database: Database<Tx>, tx: Tx): Promise<Owner | undefined> {
  const [row] = await database.query(tx, READ, ["horizon"]);
  return typeof row?.result === "string" ? JSON.parse(row.result) : undefined;
}

export async function claim<Tx>(
  database: Database<Tx>,
  tx: Tx,
  row: EffectRow,
  as: "begun" | "not-done",
): Promise<Known> {
  const known = await claimKey(database, tx, row, as);
  const { fence, former } = row;
  if (former === undefined || known.state !== "claimed") return known;
  // A run of an earlier version, which may be paused, cannot begin after its probe.
  if (as === "not-done") await claimKey(database, tx, { key: former.key, fence }, as);
  const found = await readRow(database, tx, former.key);
  if (found === undefined || found.known.state === "not-done") return known;
  // A probe asks for a run that was; a run has a fence that nobody had.
  if (as === "not-done" && found.fence === fence) return found.known;
  // Nobody knows for whom an earlier version wrote it; a later one did for the owner.
  return found.fence < former.until ? { state: "not-ours" } : known;
}

async function claimKey<Tx>(
  database: Database<Tx>,
  tx: Tx,
  { key, fence }: EffectRow,
  as: "begun" | "not-done",
): Promise<Known> {
  const [claimed] = await database.query(tx, CLAIM, [key, String(fence), as]);
  if (claimed !== undefined) return { state: "claimed", schema: String(claimed.schema) };
  return (await readRow(database, tx, key))?.known ?? { state: "none" };
}

async function readRow<Tx>(database: Database<Tx>, tx: Tx, key: string) {
  const [row] = await database.query(tx, READ, [key]);
  if (row === undefined) return undefined;
  const known: Known =
    row.state === "done"
      ? { state: "done", result: JSON.parse(String(row.result)) }
      : { state: row.state as Open };
  return { known, fence: Number(row.fence) };
}

/**
 * @param schema of the table in which it was claimed
 * @param result JSON
 * @returns whether the transaction still is the one that claimed the row
 */
export async function finish<Tx>(
  database: Database<Tx>,
  tx: Tx,
  schema: string,
  key: string,
  result: string,
): Promise<boolean> {
  return (await database.query(tx, finishIn(schema), [result, key])).length > 0;
}

/** Statements of this transaction fail if they wait longer for another one. @param ms at least 1 */
export async function waitAtMost<Tx>(database: Database<Tx>, tx: Tx, ms: number): Promise<void> {
  await database.query(tx, WAIT_AT_MOST, [String(ms)]);
}

/** By database: when its rows are looked at next, by this process's monotonic clock. */
const nextLooks = new WeakMap<object, number>();

/**
 * Deletes rows that are a day below the horizon, and moves the horizon on; at most once a minute while it keeps up. Fences are Redis's time. A failure is left to the next time: rows only take room.
 *
 * @param fence of a run that has just ended
 */
export async function forgetOld<Tx>(database: Database<Tx>, fence: number): Promise<void> {
  if (performance.now() < (nextLooks.get(database) ?? 0)) return;
  nextLooks.set(database, performance.now() + MINUTE_MS);
  try {
    const isFull = await database.transaction(async (tx) => {
      // In one transaction: no statement that begins later sees the rows gone, and the horizon below them.
      const [gone] = await database.query(tx, FORGET, [String(fence)]);
      await database.query(tx, MOVE_HORIZON, [String(fence)]);
      return gone?.count === String(BATCH);
    });
    if (isFull) nextLooks.delete(database);
  } catch {}
}

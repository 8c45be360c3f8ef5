import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import type { Settings } from "../../platform/config/settings.ts";
import { byLimits, type Finding, finding, ok } from "../../platform/errors/finding.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { withDeadline } from "../../platform/lib/deadline.ts";
import { durationText } from "../../platform/lib/duration-text.ts";
import { redisNow } from "../../platform/redis/fitness/clock.ts";
import { mebibytes } from "../../platform/redis/redis-load.ts";
import { isPostgres, type OutboxDatabase, outboxFault, withDatabase } from "../../roles/outbox/database.ts";
import { ageMaxMs, SILENCE_MAX_MS } from "../../roles/outbox/relay.ts";
import { TABLE, VERSION } from "../../roles/outbox/table.ts";
import { counted } from "../counted.ts";
import { depthOf } from "../outbox/read-outbox.ts";

const READ_MAX_MS = 10_000;
const CLOCK_OFF_MAX_MS = 2_000;
/** A busy outbox has as many between two vacuums; with more, something keeps them from being vacuumed. */
const DEAD_ROWS_MAX = 100_000;
const DEAD_PER_LIVE_MAX = 10;
/** What people need to bring relays back; the alert fires after seven minutes. */
const PERSON_NEEDS_MS = 3_600_000;

/** Checks the outbox of the database that `DATABASE_URL` names, if there is one. */
export async function diagnoseOutbox(
  { client }: Pick<QueueStores, "client">,
  { DATABASE_URL: url, HOLDFAST_RETENTION_MS: retentionMs }: Settings,
): Promise<Finding[]> {
  if (url === undefined || !isPostgres(url)) return [];
  const late = () => new HoldfastError("DATABASE_UNAVAILABLE", "The database did not answer in time");
  const reading = withDatabase(url, async (database) => {
    const fault = await outboxFault(database);
    if (fault === "absent") return [];
    if (fault === "unknown") return [unknownVersion()];
    return [
      ok("outbox table", `version ${VERSION}`),
      ...(await diagnoseParts(database)),
      await diagnoseBloat(database),
      await diagnoseClock(database, await redisNow(client)),
      diagnoseRetention(retentionMs),
      ...(await diagnoseRows(database, retentionMs)),
    ];
  });
  return await withDeadline(reading, READ_MAX_MS, late).catch((error: unknown) => {
    if (error instanceof HoldfastError) return [unreachable(error)];
    throw error;
  });
}

function unreachable({ message, code }: HoldfastError): Finding {
  return finding("outbox database", "bad", message, {
    reason: "no row of the outbox is submitted until it answers; the rows are kept",
    remedy: "check DATABASE_URL, the server, and that the package pg is installed",
    code,
  });
}

function unknownVersion(): Finding {
  return finding("outbox table", "bad", `its comment does not say version ${VERSION}`, {
    reason: "relays refuse a table that they do not know",
    remedy: "upgrade Holdfast, or run holdfast outbox init --apply if the comment was lost",
    code: "OUTBOX_VERSION_UNKNOWN",
  });
}

interface Parts {
  readonly writable: boolean;
  readonly index: boolean;
  readonly trigger: boolean;
  readonly privileges: boolean;
}

const parts = `SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off' AS writable,
  EXISTS (SELECT 1 FROM pg_index WHERE indrelid = '${TABLE}'::regclass AND indisvalid
    AND indexrelid = to_regclass('${TABLE}_next')) AS index,
  EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = '${TABLE}'::regclass AND tgname = '${TABLE}_added' AND tgenabled <> 'D') AS trigger,
  has_table_privilege('${TABLE}', 'SELECT') AND has_table_privilege('${TABLE}', 'UPDATE')
    AND has_table_privilege('${TABLE}', 'DELETE') AS privileges`;

async function diagnoseParts(database: OutboxDatabase): Promise<Finding[]> {
  const [found] = await database.query<Parts>(parts);
  const none = { writable: false, index: false, trigger: false, privileges: false };
  const { writable, index, trigger, privileges } = found ?? none;
  const again = "run holdfast outbox init --apply again";
  const text = (isThere: boolean) => (isThere ? "there" : "missing");
  return [
    finding("outbox database", writable ? "ok" : "bad", writable ? "takes changes" : "read-only", {
      reason: "no transaction adds a row, and no relay submits one",
      remedy: "let DATABASE_URL name the primary; see default_transaction_read_only",
    }),
    finding("outbox index", index ? "ok" : "bad", text(index), {
      reason: "each look of a relay reads the whole table",
      remedy: again,
    }),
    finding("outbox trigger", trigger ? "ok" : "warn", text(trigger), {
      reason: "relays learn of a row only when they look, each second",
      remedy: again,
    }),
    finding("outbox privileges", privileges ? "ok" : "bad", privileges ? "granted" : "not all granted", {
      reason: "a relay cannot read, park or remove rows",
      remedy: `GRANT SELECT, UPDATE, DELETE ON ${TABLE} to the user of DATABASE_URL`,
    }),
  ];
}

interface Bloat {
  readonly live: number;
  readonly dead: number;
  /** Of the table with its index. */
  readonly bytes: number;
  /** Whether PostgreSQL counts rows at all. */
  readonly isCounted: boolean;
}

const bloat = `SELECT n_live_tup::float8 AS live, n_dead_tup::float8 AS dead, pg_total_relation_size(relid)::float8 AS bytes,
    current_setting('track_counts') = 'on' AS "isCounted"
  FROM pg_stat_user_tables WHERE relid = '${TABLE}'::regclass`;

/** The table is small and changes all the time, so what keeps rows from being vacuumed shows here first. */
async function diagnoseBloat(database: OutboxDatabase): Promise<Finding> {
  const [found] = await database.query<Bloat>(bloat).catch((error: unknown) => {
    if (error instanceof HoldfastError) return [];
    throw error;
  });
  if (!found?.isCounted)
    return finding("outbox bloat", "warn", found === undefined ? "not readable" : "not counted", {
      reason: "nobody notices when dead rows pile up and slow relays down",
      remedy:
        "GRANT SELECT ON pg_stat_user_tables to the user of DATABASE_URL; track_counts and autovacuum must be on",
    });
  const { live, dead, bytes } = found;
  const isBloated = dead >= DEAD_ROWS_MAX && dead > DEAD_PER_LIVE_MAX * live;
  const rows = `${counted(live, "live row")}, ${counted(dead, "dead row")}`;
  return finding("outbox bloat", isBloated ? "warn" : "ok", `${rows}; ${mebibytes(bytes)}`, {
    reason: "each look of a relay walks over the dead rows, so submissions slow down",
    remedy: `end what keeps them: transactions open for long (pg_stat_activity), prepared ones, unused replication slots; then VACUUM ${TABLE}, and see that autovacuum is on`,
  });
}

/** How long relays may be away, or Redis, until rows are parked. */
function diagnoseRetention(retentionMs: number): Finding {
  const silentMs = ageMaxMs(retentionMs);
  const verdict = silentMs <= SILENCE_MAX_MS ? "bad" : silentMs < PERSON_NEEDS_MS ? "warn" : "ok";
  const found = `relays may be silent for ${durationText(silentMs)}: keys are remembered for ${durationText(retentionMs)}`;
  return finding("outbox retention", verdict, found, {
    reason: `a longer silence parks rows: one relay that hangs causes ${durationText(SILENCE_MAX_MS)} of it, and people need about an hour from the alert on`,
    remedy: "raise HOLDFAST_RETENTION_MS",
  });
}

async function diagnoseClock(database: OutboxDatabase, redisMs: number): Promise<Finding> {
  const [found] = await database.query<{ now: number }>(
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now",
  );
  const offMs = Math.abs((found?.now ?? 0) - redisMs);
  return finding(
    "outbox clock",
    offMs > CLOCK_OFF_MAX_MS ? "warn" : "ok",
    `${durationText(offMs)} off Redis's`,
    {
      reason:
        "how long a row has waited is counted by the database's clock: one that was set decides wrongly what is too old",
      remedy: "synchronise the clocks of both servers",
    },
  );
}

async function diagnoseRows(database: OutboxDatabase, retentionMs: number): Promise<Finding[]> {
  const { waiting, parked, oldestWaitingMs, relays } = await depthOf(database);
  const limits = { warn: retentionMs / 2, bad: retentionMs };
  return [
    finding("outbox relays", relays === 0 ? "bad" : "ok", `${relays} running`, {
      reason: "nobody submits the rows of the outbox",
      remedy: "start one: holdfast relay",
    }),
    finding(
      "outbox waiting",
      byLimits(oldestWaitingMs, limits),
      `${counted(waiting, "row")}, the oldest for ${durationText(oldestWaitingMs)}; keys are remembered for ${durationText(retentionMs)}`,
      {
        reason:
          "a row that waits longer than its key is remembered could become a second job, so it is parked",
        remedy: "find out why no relay submits it, or raise HOLDFAST_RETENTION_MS",
      },
    ),
    finding("outbox parked", parked === 0 ? "ok" : "warn", counted(parked, "row"), {
      reason: "their jobs do not exist, and rows of their ordering keys wait behind them",
      remedy: "holdfast outbox parked, then outbox release or outbox discard",
    }),
  ];
}

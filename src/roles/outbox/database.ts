import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { withDeadline } from "../../platform/lib/deadline.ts";
import { COMMENT, outboxMigration, TABLE, VERSION } from "./table.ts";

const CONNECT_MS = 5_000;
export const QUERY_MS = 10_000;
/** A lost network acknowledges no end. */
const END_MS = 1_000;

export type OutboxDatabase = Awaited<ReturnType<typeof connectDatabase>>;

/**
 * Opens one connection to PostgreSQL. Each call ends within 10 s.
 *
 * @param applicationName as `pg_stat_activity` shows it
 * @throws HoldfastError `CONFIG_INVALID` without the package `pg` or for another database, `DATABASE_UNAVAILABLE`
 */
export async function connectDatabase(url: string, applicationName: string) {
  if (!isPostgres(url))
    throw new HoldfastError(
      "CONFIG_INVALID",
      "DATABASE_URL: expected postgres://, got another database's URL",
    );
  const { Client } = await loadDriver();
  const client = new Client({
    connectionString: url,
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: QUERY_MS,
    keepAlive: true,
  });
  // A lost connection fails the next call.
  client.on("error", () => {});
  await inDatabase(client.connect()).catch(async (error: unknown) => {
    void client.end().catch(() => {});
    throw error;
  });
  return {
    /** @throws HoldfastError `DATABASE_UNAVAILABLE` */
    async query<Row>(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
      // Without values several statements may stand in one text.
      const sent = values.length === 0 ? client.query(text) : client.query(text, [...values]);
      return (await inDatabase<{ rows: unknown[] }>(sent)).rows as Row[];
    },
    /** Calls `wake` for each notification, and when the connection is lost. */
    async listen(wake: () => void): Promise<void> {
      client.on("notification", wake);
      client.on("end", wake);
      await inDatabase(client.query(`LISTEN ${TABLE}`));
    },
    async end(): Promise<void> {
      await withDeadline(client.end(), END_MS, () => new Error("no answer")).catch(() => {});
    },
  };
}

/** Whether it is PostgreSQL's: `DATABASE_URL` is a name that others use, too. */
export function isPostgres(url: string): boolean {
  return /^postgres(ql)?:\/\//.test(url);
}

async function loadDriver(): Promise<Pick<typeof import("pg"), "Client">> {
  try {
    return (await import("pg")).default;
  } catch (cause) {
    const message = "DATABASE_URL is set, and the package pg is not installed: npm install pg";
    throw new HoldfastError("CONFIG_INVALID", message, { cause });
  }
}

async function inDatabase<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    // Its text can hold data of the statement.
    const code = cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
    throw new HoldfastError("DATABASE_UNAVAILABLE", `The database does not do its part${code}`, { cause });
  }
}

/** Opens a database for one piece of work. @throws HoldfastError as `connectDatabase` */
export async function withDatabase<T>(
  url: string,
  use: (database: OutboxDatabase) => Promise<T>,
): Promise<T> {
  const database = await connectDatabase(url, "holdfast");
  try {
    return await use(database);
  } finally {
    await database.end();
  }
}

/** The table's comment; undefined without the table. */
async function readVersion(
  database: OutboxDatabase,
): Promise<{ readonly comment: string | null } | undefined> {
  const [found] = await database.query<{ comment: string | null }>(
    "SELECT obj_description(oid, 'pg_class') AS comment FROM pg_class WHERE oid = to_regclass($1)",
    [TABLE],
  );
  return found;
}

/** What the database has in place of an outbox of this version; undefined if it has one. */
export async function outboxFault(database: OutboxDatabase): Promise<"absent" | "unknown" | undefined> {
  const found = await readVersion(database);
  if (found === undefined) return "absent";
  return found.comment === COMMENT ? undefined : "unknown";
}

/** @throws HoldfastError `OUTBOX_NOT_FOUND`, `OUTBOX_VERSION_UNKNOWN`, `DATABASE_UNAVAILABLE` */
export async function requireOutbox(database: OutboxDatabase): Promise<void> {
  const fault = await outboxFault(database);
  if (fault === "unknown") throw versionUnknown();
  const advice = "run holdfast outbox init --apply";
  if (fault === "absent")
    throw new HoldfastError("OUTBOX_NOT_FOUND", `The database has no table ${TABLE}: ${advice}`);
}

function versionUnknown(): HoldfastError {
  const message = `The comment of the table ${TABLE} does not say version ${VERSION}; this release of Holdfast knows no other`;
  return new HoldfastError("OUTBOX_VERSION_UNKNOWN", message);
}

/** Runs the migration. @throws HoldfastError `OUTBOX_VERSION_UNKNOWN` for the table of another version, `DATABASE_UNAVAILABLE` */
export async function migrate(url: string): Promise<void> {
  await withDatabase(url, async (database) => {
    // One at a time: PostgreSQL fails the second of two `CREATE … IF NOT EXISTS`.
    await database.query(
      `BEGIN; SET LOCAL lock_timeout = 5000; SELECT pg_advisory_xact_lock(hashtext('${TABLE}'))`,
    );
    const found = await readVersion(database);
    if (found !== undefined && found.comment !== null && found.comment !== COMMENT) throw versionUnknown();
    await database.query(`${outboxMigration}COMMIT`);
  });
}

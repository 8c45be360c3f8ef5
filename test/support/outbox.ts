import { type Application, defineConfig, defineJob } from "holdfast";
import { startRelay } from "holdfast/postgres";
import pg from "pg";
import { inject } from "vitest";
import { z } from "zod";
import { migrate } from "../../src/roles/outbox/database.ts";
import { anyJob } from "./application.ts";
import { createDatabase } from "./postgres.ts";
import { createService, type Service, type Variables } from "./service.ts";
import { onTestFinished } from "./test-scope.ts";

export const note = anyJob({ type: "note" });
/** Refuses most payloads. */
const greeting = defineJob({
  type: "greeting",
  payload: z.strictObject({ name: z.string() }),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 1_000,
});
/** Whose jobs nobody runs. */
export const notedApplication = defineConfig({ jobs: [note, greeting], handlers: async () => [] });

/** A row of the outbox as the tests look at it. */
export interface StoredRow {
  readonly id: string;
  readonly type: string;
  readonly state: string;
  readonly idempotency_key: string;
  readonly problem: { readonly code: string; readonly message: string } | null;
}

/** A service with an outbox in a database of its own. It ends with the test. */
export interface OutboxService extends Service {
  readonly databaseUrl: string;
  readonly pool: pg.Pool;
  startRelay(variables?: Variables): Promise<Awaited<ReturnType<typeof startRelay>>>;
  /** Runs work in a transaction of pg, and commits. */
  commit<T>(work: (tx: pg.PoolClient) => Promise<T>): Promise<T>;
  rows(): Promise<StoredRow[]>;
}

export async function createOutboxService(
  application: Application,
  variables: Variables = {},
  serverUrl = inject("postgresUrl"),
  given?: string,
): Promise<OutboxService> {
  const databaseUrl = given ?? (await createDatabase(serverUrl));
  await migrate(databaseUrl);
  const service = createService(application, { DATABASE_URL: databaseUrl, ...variables });
  const pool = new pg.Pool({ connectionString: databaseUrl });
  pool.on("error", () => {});
  onTestFinished(async () => {
    await pool.end();
  });
  return {
    ...service,
    databaseUrl,
    pool,
    async startRelay(changed = {}) {
      const relay = await startRelay(application, { ...service.env, ...changed });
      onTestFinished(relay.stop);
      return relay;
    },
    async commit(work) {
      const tx = await pool.connect();
      try {
        await tx.query("BEGIN");
        const result = await work(tx);
        await tx.query("COMMIT");
        return result;
      } finally {
        tx.release();
      }
    },
    rows: async () =>
      (
        await pool.query<StoredRow>(
          "SELECT id, type, state, idempotency_key, problem FROM holdfast_outbox ORDER BY id",
        )
      ).rows,
  };
}

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createOperator, defineConfig, defineJob } from "holdfast";
import { createClient } from "holdfast/client";
import { outbox } from "holdfast/postgres";
import pg from "pg";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { z } from "zod";
import { migrate } from "../../../src/roles/outbox/database.ts";
import { anyJob, greeting, application as testApplication } from "../../support/application.ts";
import { call, get } from "../../support/http.ts";
import { scrape } from "../../support/metrics.ts";
import { createOutboxService, type OutboxService } from "../../support/outbox.ts";
import { createDatabase, runPsql, startPostgres } from "../../support/postgres.ts";
import { withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { createService, testEnvironment, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const note = anyJob({ type: "note" });
const application = defineConfig({ jobs: [note, greeting], handlers: async () => [] });

const untilStates = (service: OutboxService, ...states: readonly string[]) =>
  until(`the rows are ${states.join(", ") || "gone"}`, async () => {
    const rows = await service.rows();
    return rows.map(({ state }) => state).join() === states.join() && rows.map(({ id }) => id);
  });

const addBad = (service: OutboxService, key: string) =>
  service.pool.query(
    "INSERT INTO holdfast_outbox (type, payload, idempotency_key) VALUES ('greeting', '{}', $1)",
    [key],
  );

describe("holdfast outbox init", withProcesses, () => {
  it("prints a migration that psql runs, again and again, and that --apply runs", async () => {
    const databaseUrl = await createDatabase(inject("postgresUrl"));
    const env = testEnvironment({ DATABASE_URL: databaseUrl });
    const psql = (sql: string) => runPsql(databaseUrl, sql);
    const printed = await run(["outbox", "init"], env);
    expect(printed).toMatchObject({ code: 0, stderr: "" });
    expect(printed.stdout).toBe(outbox.migration);

    await psql(printed.stdout);
    await psql(printed.stdout);
    const applied = await run(["outbox", "init", "--apply"], env);

    expect(applied.code).toBe(0);
    // As a program in any language adds a row.
    await psql(
      "INSERT INTO holdfast_outbox (type, payload, idempotency_key) VALUES ('note', '{\"a\": 1}', 'k')",
    );
    expect(await psql("SELECT state FROM holdfast_outbox")).toBe("waiting");
  });

  it("refuses a table of another version, and so does a relay", async () => {
    const service = await createOutboxService(application);
    await service.pool.query("COMMENT ON TABLE holdfast_outbox IS 'Holdfast outbox, version 99'");

    await expect(migrate(service.databaseUrl)).rejects.toMatchObject({ code: "OUTBOX_VERSION_UNKNOWN" });
    await expect(service.startRelay()).rejects.toMatchObject({ code: "OUTBOX_VERSION_UNKNOWN" });
  });

  it("is what a relay asks for without the table", async () => {
    const service = await createOutboxService(application);
    await service.pool.query("DROP TABLE holdfast_outbox");

    await expect(service.startRelay()).rejects.toMatchObject({
      code: "OUTBOX_NOT_FOUND",
      message: expect.stringContaining("holdfast outbox init --apply"),
    });
  });

  it("needs no more than INSERT from who adds rows, and no right to INSERT from a relay", async () => {
    const service = await createOutboxService(application);
    const role = `r${Date.now()}`;
    await service.pool.query(`CREATE ROLE ${role}_app LOGIN; CREATE ROLE ${role}_relay LOGIN;
      GRANT INSERT ON holdfast_outbox TO ${role}_app; GRANT SELECT, UPDATE, DELETE ON holdfast_outbox TO ${role}_relay`);
    const as = (name: string) => {
      const url = new URL(service.databaseUrl);
      url.username = `${role}_${name}`;
      return url.href;
    };
    await service.startRelay({ DATABASE_URL: as("relay") });
    const client = new pg.Client(as("app"));
    await client.connect();
    onTestFinished(() => client.end());

    await client.query("BEGIN");
    await outbox.add(client, note, 1, { idempotencyKey: "least" });
    await client.query("COMMIT");

    await untilStates(service);
  });
});

describe("parked rows", withProcesses, () => {
  it("say that they are parked again where a release did not help", async () => {
    const service = await createOutboxService(testApplication);
    await addBad(service, "a");
    await service.startRelay();
    const operator = await service.createOperator();
    await untilStates(service, "parked");
    const [{ id = "", parkedAt = "", problem } = {}] = await operator.outbox.parked({ limit: 1 });
    expect(problem).not.toHaveProperty("isAgain");

    await operator.outbox.release(id, {}, { by: "test" });

    const again = await until("it is parked again", async () => {
      const [row] = await operator.outbox.parked({ limit: 1 });
      return row !== undefined && row.parkedAt !== parkedAt && row;
    });
    expect(again.problem).toEqual({ ...problem, isAgain: true });
    expect((await run(["outbox", "parked"], service.env)).stdout).toContain(
      "(parked again: it was released before)",
    );
    await operator.outbox.release(id, { payload: { to: "a@example.com", name: "A" } }, { by: "test" });
    await untilStates(service);
  });

  it("are listed, mended, released and discarded from the command line", async () => {
    const service = await createOutboxService(testApplication);
    for (const key of ["a", "b", "c"]) await addBad(service, key);
    await service.startRelay();
    const [first = "", second = ""] = await untilStates(service, "parked", "parked", "parked");
    const cli = (...args: readonly string[]) => run(["outbox", ...args], service.env);

    const listed = await cli("parked", "--json", "--code", "INVALID_PAYLOAD");
    expect(
      listed.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      { idempotencyKey: "a", problem: { code: "INVALID_PAYLOAD" }, payload: {} },
      { idempotencyKey: "b" },
      { idempotencyKey: "c" },
    ]);
    expect((await cli("parked")).stdout).toContain("INVALID_PAYLOAD");
    expect((await cli("show")).stdout).toMatch(/waiting +0\nparked +3\nrelays +1/);

    const mended = await cli(
      "release",
      first,
      "--payload",
      '{"to":"a@example.com","name":"A"}',
      "--reason",
      "typo",
    );
    expect(mended).toMatchObject({ code: 0, stdout: `released row ${first}\n` });
    expect(await cli("discard", second)).toMatchObject({ code: 0 });
    expect(await cli("discard", second)).toMatchObject({ code: 1 });
    await untilStates(service, "parked");
    expect(await cli("release", "--code", "INVALID_PAYLOAD")).toMatchObject({ stdout: "released 1 row\n" });
    expect(await cli("release")).toMatchObject({ code: 2 });
  });

  it("are mended from a file, from standard input, and in each member", async () => {
    const service = await createOutboxService(testApplication);
    const folder = await mkdtemp(path.join(tmpdir(), "holdfast-outbox-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = path.join(folder, "mended.json");
    await writeFile(file, '{"to":"file@example.com","name":"A"}');
    for (const key of ["file", "stdin", "all"]) await addBad(service, key);
    const relay = await service.startRelay();
    const ids = await untilStates(service, "parked", "parked", "parked");
    await relay.stop();
    const release = (index: number, args: readonly string[], stdin?: string) =>
      run(["outbox", "release", ids[index] ?? "", ...args], service.env, stdin);

    const released = [
      await release(0, ["--payload", `@${file}`, "--options", '{"priority":3}']),
      await release(1, ["--payload", "-"], '{"to":"stdin@example.com","name":"A"}'),
      await release(2, ["--type", "echo", "--key", "new", "--payload", "null", "--options", "-"], "{}"),
    ];

    expect(released.map(({ code, stderr }) => `${code}${stderr}`)).toEqual(["0", "0", "0"]);
    const { rows } = await service.pool.query(
      "SELECT type, payload, idempotency_key AS key, options, state FROM holdfast_outbox ORDER BY id",
    );
    const greetingOf = (key: string) => ({ to: `${key}@example.com`, name: "A" });
    const common = { type: "greeting", state: "waiting" };
    expect(rows).toEqual([
      { ...common, key: "file", payload: greetingOf("file"), options: { priority: 3 } },
      { ...common, key: "stdin", payload: greetingOf("stdin"), options: null },
      { ...common, type: "echo", key: "new", payload: null, options: {} },
    ]);
  });

  it("are not released by what is no JSON, no file, or not for many", async () => {
    const { env } = createService(testApplication, { DATABASE_URL: inject("postgresUrl") });
    const usages = [
      ["1", "--payload", "{"],
      ["1", "--payload", '{"a":1,"a":2}'],
      ["1", "--payload", "@/nowhere.json"],
      ["1", "--options", "[]"],
      ["1", "--options", "null"],
      ["1", "--payload", "-", "--options", "-"],
      ["--code", "INVALID_PAYLOAD", "--options", "{}"],
    ];
    for (const args of usages) {
      const { code, stderr } = await run(["outbox", "release", ...args], env, "{}");
      expect([code, stderr]).toEqual([2, expect.stringMatching(/--(payload|options).*: /)]);
    }
  });

  it("are all discarded for a reason, without those that were parked after somebody looked", async () => {
    const service = await createOutboxService(application);
    await service.pool.query(`INSERT INTO holdfast_outbox (type, idempotency_key, state, problem, changed_at)
      SELECT 'note', n, 'parked', json_build_object('code', CASE WHEN n = 1 THEN 'OTHER' ELSE 'MANY' END),
        '2026-12-01T03:00:00.000Z'::timestamptz + n * interval '1 s'
      FROM generate_series(1, 10) n`);
    const client = createClient({ url: (await service.startApi()).url });
    const [, second] = await client.parkedRows({});
    const discarding = { code: "MANY", reason: "a test" };
    const cli = (...args: readonly string[]) =>
      run(["outbox", "discard", "--code", "MANY", ...args], service.env);

    expect(await client.discardRows({ ...discarding, parkedUntil: second?.parkedAt })).toBe(1);
    expect(await cli("--yes")).toMatchObject({ code: 2, stderr: expect.stringContaining("--reason") });
    expect(await cli("--reason", "a test")).toMatchObject({ code: 2 });
    expect((await cli("--reason", "a test", "--yes")).stdout).toBe("deleted 8 rows\n");
    expect((await service.rows()).map((row) => row.problem?.code)).toEqual(["OTHER"]);
    expect((await client.auditTrail(2)).map(({ as, evidence }) => `${as} ${evidence}`)).toEqual([
      "outbox-discarded all rows parked with MANY: a test",
      `outbox-discarded all rows parked with MANY until ${second?.parkedAt}: a test`,
    ]);
  });

  it("show their payload without what their type redacts, and not where nobody knows what to redact", async () => {
    const charge = defineJob({
      type: "charge",
      payload: z.strictObject({ amount: z.number(), card: z.strictObject({ number: z.string() }) }),
      result: z.unknown(),
      redact: { payload: ["/card/number"] },
      timeoutMs: 1_000,
      retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
    });
    const service = await createOutboxService(defineConfig({ jobs: [charge], handlers: async () => [] }));
    const rows = [
      ["charge", { amount: "5", card: { number: "4111" } }],
      ["charge", { amount: 5, card: "4111" }],
      ["charge", { amount: 5, kard: { number: "4111" } }],
      ["refund", { card: { number: "4111" } }],
      ["charge", { note: "x".repeat(20_000), card: { number: "4111" } }],
      ["charge", { amount: "5", card: { number: "4111" } }],
    ] as const;
    for (const [index, [type, payload]] of rows.entries())
      await service.pool.query(
        `INSERT INTO holdfast_outbox (type, payload, idempotency_key, state, problem)
          VALUES ($1, $2, $3, 'parked', '{"code": "INVALID_PAYLOAD", "message": "?"}')`,
        [type, JSON.stringify(payload), `row-${index}`],
      );
    await service.pool.query(
      `UPDATE holdfast_outbox SET problem = '{"code": "OUTBOX_ROW_UNREADABLE", "message": "?"}' WHERE idempotency_key = 'row-5'`,
    );
    const operator = await service.createOperator();

    const shown = await operator.outbox.parked({ limit: 50 });

    expect(JSON.stringify(shown)).not.toContain("4111");
    expect(shown.map((row) => row.payload)).toEqual([
      { amount: "5", card: { number: "[redacted]" } },
      ...Array(5).fill(undefined),
    ]);
  });

  it("are listed, mended, released and discarded over HTTP, on record", async () => {
    const service = await createOutboxService(application);
    for (const key of ["a", "b"]) await addBad(service, key);
    await service.startRelay();
    const [first = "", second = ""] = await untilStates(service, "parked", "parked");
    const { url } = await service.startApi();
    const client = createClient({ url });

    expect(await client.outbox()).toMatchObject({ waiting: 0, parked: 2, oldestWaitingMs: 0, relays: 1 });
    await until("the statistics have them", async () => {
      await service.pool.query("SELECT pg_stat_force_next_flush()");
      return (await client.outbox()).added === 2;
    });
    await until("the overview knows of it", async () => {
      const { body } = await get(`${url}/overview`);
      return body.hasOutbox === true;
    });
    expect(await client.parkedRows({ type: "greeting", limit: 1 })).toMatchObject([{ id: first, behind: 0 }]);
    expect(await client.parkedRows({ after: first })).toMatchObject([{ id: second }]);
    await client.releaseRow(first, { payload: { to: "a@example.com", name: "A" }, reason: "typo" });
    await client.discardRow(second, { reason: "a test" });
    await untilStates(service);
    expect(await client.releaseRows({ code: "INVALID_PAYLOAD" })).toBe(0);
    expect((await call(`${url}/outbox/parked/77`, "DELETE")).status).toBe(404);
    expect((await call(`${url}/outbox/parked/x`, "DELETE")).status).toBe(404);

    const entries = await client.auditTrail(10);
    expect(entries.map(({ as, evidence }) => `${as} ${evidence}`)).toEqual(
      expect.arrayContaining([
        `outbox-released row ${first}: typo`,
        `outbox-discarded row ${second}: a test`,
        "outbox-discarded-failed row 77",
      ]),
    );
  });

  it("are all released, many at a time, though one statement would take longer than people wait", async () => {
    const service = await createOutboxService(application);
    const operator = await service.createOperator();
    await service.pool.query(`INSERT INTO holdfast_outbox (type, idempotency_key, state, problem)
      SELECT 'note', n, 'parked', json_build_object('code', CASE WHEN n % 10 = 0 THEN 'OTHER' ELSE 'MANY' END)
      FROM generate_series(1, 60000) n`);
    await service.pool.query(`CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_sleep(0.6); RETURN NULL; END $$;
      CREATE TRIGGER slow AFTER UPDATE ON holdfast_outbox FOR EACH STATEMENT EXECUTE FUNCTION slow()`);

    expect(await operator.outbox.releaseAll("MANY", { by: "test" })).toBe(54_000);

    const { rows } = await service.pool.query("SELECT state, count(*)::int FROM holdfast_outbox GROUP BY 1");
    expect(rows).toEqual(
      expect.arrayContaining([
        { state: "parked", count: 6_000 },
        { state: "waiting", count: 54_000 },
      ]),
    );
  });

  it("are not asked for, nor mended, by what PostgreSQL cannot hold", async () => {
    const service = await createOutboxService(application);
    const { url } = await service.startApi();
    const post = (path: string, body: unknown) => call(`${url}/outbox/${path}`, "POST", body);

    for (const answer of [
      await get(`${url}/outbox/parked?code=a%00`),
      await get(`${url}/outbox/parked?type=a%00`),
      await post("release", { code: "a\0" }),
      await post("parked/1/release", { type: "a\0" }),
      await post("parked/1/release", { idempotencyKey: "a\0" }),
      await post("parked/1/release", { idempotencyKey: "" }),
    ])
      expect(answer).toMatchObject({ status: 400, body: { code: "INVALID_REQUEST" } });
    const { outbox: calls } = await service.createOperator();
    for (const called of [
      calls.parked({ code: "a\0", limit: 1 }),
      calls.releaseAll("a\0", { by: "test" }),
      calls.release("1", { idempotencyKey: "a\0" }, { by: "test" }),
    ])
      await expect(called).rejects.toMatchObject({ code: "INVALID_REQUEST" });
  });

  it("are not listed from what is no id, nor as what is no number of them", async () => {
    const { env } = createService(testApplication, { DATABASE_URL: inject("postgresUrl") });
    for (const [option, value] of [
      ["--limit", "x"],
      ["--limit", "1000"],
      ["--after", "x"],
    ] as const)
      expect(await run(["outbox", "parked", option, value], env)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining(option),
      });
  });

  it("answer that there is no outbox where none is configured, and that the database is away where it is", async () => {
    const without = createService(application);
    const { url } = await without.startApi();
    expect(await get(`${url}/outbox`)).toMatchObject({ status: 404, body: { code: "OUTBOX_NOT_FOUND" } });
    expect(await get(`${url}/overview`)).toMatchObject({ body: { hasOutbox: false } });

    const away = createService(application, { DATABASE_URL: "postgres://nobody@127.0.0.1:1/none" });
    const { url: awayUrl } = await away.startApi();
    expect(await get(`${awayUrl}/outbox`)).toMatchObject({
      status: 503,
      body: { code: "DATABASE_UNAVAILABLE" },
    });
  });
});

describe("the metrics of a relay", () => {
  it("say what waits, is parked, was relayed and was deferred, and that the database is away", async () => {
    const postgres = await startPostgres();
    onTestFinished(postgres.stop);
    const variables = { HOLDFAST_METRICS_PORT: "0" };
    const service = await createOutboxService(application, variables, postgres.url);
    await addBad(service, "bad");
    await service.commit((tx) => outbox.add(tx, note, 1, { idempotencyKey: "good" }));
    const relay = await service.startRelay();
    await untilStates(service, "parked");
    const url = relay.metricsUrl ?? "";

    const reading = await scrape(url);

    const relayed = (type: string, outcome: string) =>
      reading.value("holdfast_outbox_relayed_total", { type, outcome });
    expect(relayed("note", "accepted")).toBe(1);
    expect(relayed("greeting", "parked")).toBe(1);
    expect(relayed("greeting", "accepted")).toBe(0);
    expect(reading.value("holdfast_outbox_rows", { state: "waiting" })).toBe(0);
    expect(reading.value("holdfast_outbox_rows", { state: "parked" })).toBe(1);
    expect(reading.value("holdfast_outbox_oldest_waiting_age_seconds")).toBe(0);
    expect(reading.value("holdfast_outbox_up")).toBe(1);
    expect(reading.value("holdfast_outbox_lag_seconds_count", { type: "note" })).toBe(1);

    await postgres.kill();
    const without = await scrape(url);
    expect(without.value("holdfast_outbox_up")).toBe(0);
    expect(without.value("holdfast_outbox_rows", { state: "parked" })).toBeUndefined();
  });
});

describe("the doctor", () => {
  const examine = async (service: OutboxService, variables: Variables = {}) => {
    const operator = await createOperator(application, { ...service.env, ...variables });
    const all = await operator.doctor();
    await operator.stop();
    return all.filter(({ name }) => name.startsWith("outbox"));
  };
  const findings = async (service: OutboxService, variables?: Variables) =>
    Object.fromEntries((await examine(service, variables)).map(({ name, verdict }) => [name, verdict]));
  const well = {
    "outbox database": "ok",
    "outbox table": "ok",
    "outbox index": "ok",
    "outbox trigger": "ok",
    "outbox privileges": "ok",
    "outbox bloat": "ok",
    "outbox retention": "ok",
    "outbox clock": "ok",
    "outbox relays": "ok",
    "outbox waiting": "ok",
    "outbox parked": "ok",
  };

  it("finds an outbox well", async () => {
    const service = await createOutboxService(application);
    await service.startRelay();

    expect(await findings(service)).toEqual(well);
  });

  it("finds what is missing, who does not run, and what has waited too long", async () => {
    const service = await createOutboxService(application, { HOLDFAST_RETENTION_MS: "60000" });
    await addBad(service, "old");
    await service.pool.query(`DROP INDEX holdfast_outbox_next; ALTER TABLE holdfast_outbox DISABLE TRIGGER ALL;
      UPDATE holdfast_outbox SET changed_at = changed_at - interval '2 minutes'`);

    expect(await findings(service)).toEqual({
      ...well,
      "outbox index": "bad",
      "outbox trigger": "warn",
      "outbox retention": "warn",
      "outbox relays": "bad",
      "outbox waiting": "bad",
    });
  });

  it("finds keys that are forgotten sooner than a relay may be silent", async () => {
    const service = await createOutboxService(application);
    const verdict = async (retentionMs: number) =>
      (await findings(service, { HOLDFAST_RETENTION_MS: String(retentionMs) }))["outbox retention"];

    expect(await verdict(45_000)).toBe("bad"); // a relay that hangs, and the time of a submission
    expect(await verdict(46_000)).toBe("warn");
    expect(await verdict(3_604_000)).toBe("warn");
    expect(await verdict(3_605_000)).toBe("ok"); // an hour for a person, and the time of a submission
  });

  it("finds a database that takes no changes", async () => {
    const service = await createOutboxService(application);
    const name = new URL(service.databaseUrl).pathname.slice(1);
    await service.pool.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);

    expect(await examine(service)).toContainEqual(
      expect.objectContaining({ name: "outbox database", verdict: "bad", found: "read-only" }),
    );
  });

  it("finds dead rows that nothing vacuums, until they are vacuumed", async () => {
    const service = await createOutboxService(application);
    const bloat = async () => (await examine(service)).find(({ name }) => name === "outbox bloat");
    const dead = (least: number) =>
      until(`${least} rows are dead`, async () => {
        await service.pool.query("SELECT pg_stat_force_next_flush()");
        const { rows } = await service.pool.query(
          "SELECT n_dead_tup::int AS dead FROM pg_stat_user_tables WHERE relname = 'holdfast_outbox'",
        );
        return rows[0].dead >= least;
      });
    const die = (count: number) =>
      service.pool.query(`INSERT INTO holdfast_outbox (type, idempotency_key)
        SELECT 'note', n FROM generate_series(1, ${count}) n; DELETE FROM holdfast_outbox`);
    await service.pool.query("ALTER TABLE holdfast_outbox SET (autovacuum_enabled = off)");

    await die(90_000);
    await dead(90_000);
    expect(await bloat()).toMatchObject({ verdict: "ok" });
    await die(10_000);
    await dead(100_000);
    expect(await bloat()).toMatchObject({
      verdict: "warn",
      found: expect.stringMatching(/^0 live rows, 100000 dead rows; [\d.]+ MiB$/),
      remedy: expect.stringContaining("VACUUM holdfast_outbox"),
    });
    await service.pool.query("VACUUM holdfast_outbox");

    expect(await bloat()).toMatchObject({ verdict: "ok" });
  });

  it("does not call well what it may not read, or what nobody counts", async () => {
    const service = await createOutboxService(application);
    const role = `d${Date.now()}`;
    await service.pool.query(`CREATE ROLE ${role} LOGIN; GRANT SELECT, UPDATE, DELETE ON holdfast_outbox TO ${role};
      REVOKE SELECT ON pg_stat_user_tables FROM PUBLIC`);
    const url = new URL(service.databaseUrl);
    url.username = role;
    await service.startRelay();

    expect(await findings(service, { DATABASE_URL: url.href })).toEqual({ ...well, "outbox bloat": "warn" });

    await service.pool.query(
      `ALTER ROLE ${role} SET track_counts = off; GRANT SELECT ON pg_stat_user_tables TO ${role}`,
    );
    expect(await examine(service, { DATABASE_URL: url.href })).toContainEqual(
      expect.objectContaining({ name: "outbox bloat", verdict: "warn", found: "not counted" }),
    );
  });

  it("says nothing of a database without an outbox, or of another kind", async () => {
    const service = await createOutboxService(application);
    await service.pool.query("DROP TABLE holdfast_outbox");

    expect(await findings(service)).toEqual({});
    expect(await findings({ ...service, env: { ...service.env, DATABASE_URL: "mysql://x" } })).toEqual({});
  });
});

import { defineJob } from "holdfast";
import { type Database, databaseEffect, databaseEffectSql, fromPg } from "holdfast/postgres";
import { runHandler } from "holdfast/testing";
import pg from "pg";
import { describe, expect, inject, it } from "vitest";
import { z } from "zod";
import { openPool as openExamplePool, writeInvoiceHandler } from "../../../examples/database.ts";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { dedupKeyOf, effectKeyOf } from "../../../src/core/job/dedup-key.ts";
import { claim, forgetOld, REMEMBERED_MS, rowOf } from "../../../src/postgres/effects-table.ts";
import { startCommitProxy } from "../../support/commit-proxy.ts";
import { latch } from "../../support/latch.ts";
import { createDatabase, startPostgres } from "../../support/postgres.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";
import { onTestFinished } from "../../support/test-scope.ts";
import { until } from "../../support/until.ts";

const TABLES = `${databaseEffectSql()}
  create table orders (run int not null);
  create table limited (id int unique deferrable initially deferred)`;
const INSERT = "insert into orders (run) values ($1)";

const order = defineJob({
  type: "order",
  payload: z.null(),
  result: z.object({ run: z.number() }),
  retry: { attempts: 5, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 30_000,
  effects: { order: { timeoutMs: 1_000, inDoubt: "probe" } },
});

type Work = (tx: pg.PoolClient, run: number) => Promise<unknown>;

function openPool(url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url }).on("error", () => {});
  onTestFinished(() => pool.end());
  return pool;
}

async function openDatabase(server = inject("postgresUrl")) {
  const url = await createDatabase(server);
  const pool = openPool(url);
  await pool.query(TABLES);
  return { url, pool };
}

/** A job whose effect inserts an order with the number of its run, and then does `work`. */
async function start({
  database,
  work = async () => {},
}: {
  database: Database<pg.PoolClient>;
  work?: Work;
}) {
  let runs = 0;
  const handler = order.handler(async ({ effect }) => {
    const run = await databaseEffect(effect, database, "order", async (tx) => {
      runs += 1;
      const run = runs;
      await tx.query(INSERT, [run]);
      await work(tx, run);
      return run;
    });
    return { run: run ?? -1 };
  });
  const service = createService(applicationOf(handler), { HOLDFAST_LOCK_MS: "1000" });
  await service.startWorker();
  const producer = await service.createProducer();
  const { id } = await producer.submit(order, null, { idempotencyKey: "k" });
  return {
    service,
    producer,
    id,
    runs: () => runs,
    ended: () => untilState(producer, id, "completed", "failed"),
    async ledgerEntry() {
      const ledger = queueKeys(service.env.HOLDFAST_PREFIX, "default").ledger(dedupKeyOf("order", "k"));
      return JSON.parse((await service.connect().hget(ledger, "e:order")) ?? "null");
    },
  };
}

async function ordersIn(pool: pg.Pool): Promise<number[]> {
  const { rows } = await pool.query<{ run: number }>("select run from orders order by run");
  return rows.map(({ run }) => run);
}

async function effectsIn(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query<{ state: string }>(
    "select state from holdfast_effects where state <> 'horizon'",
  );
  return rows.map(({ state }) => state);
}

describe("a connection that breaks", () => {
  it("instead of the reply to a commit leaves no doubt: its row says done, and its result", async () => {
    const { url, pool } = await openDatabase();
    const proxy = await startCommitProxy(url);
    proxy.breakNext("after the commit");
    const { ended, runs, ledgerEntry } = await start({ database: fromPg(openPool(proxy.url)) });
    expect(await ended()).toMatchObject({
      state: "completed",
      result: { run: 1 },
      effects: [{ state: "done" }],
    });
    expect(await ledgerEntry()).toMatchObject({ state: "done", resolvedBy: "probe" });
    expect({ runs: runs(), orders: await ordersIn(pool) }).toEqual({ runs: 1, orders: [1] });
    expect(proxy.hasBroken).toBe(true);
  });

  it("before PostgreSQL gets the commit leaves no doubt: nothing was done, and it runs again", async () => {
    const { url, pool } = await openDatabase();
    const proxy = await startCommitProxy(url);
    proxy.breakNext("before the commit");
    const { ended, runs } = await start({ database: fromPg(openPool(proxy.url)) });
    expect(await ended()).toMatchObject({ state: "completed", result: { run: 2 } });
    expect({ runs: runs(), orders: await ordersIn(pool) }).toEqual({ runs: 2, orders: [2] });
  });

  it("in the middle of the work proves that nothing happened", async () => {
    const { url, pool } = await openDatabase();
    const { ended, service } = await start({
      database: fromPg(openPool(url)),
      work: async (tx, run) => {
        if (run === 1) await tx.query("select pg_terminate_backend(pg_backend_pid())");
      },
    });
    expect(await ended()).toMatchObject({ state: "completed", attemptsMade: 2, result: { run: 2 } });
    expect(await ordersIn(pool)).toEqual([2]);
    const api = await service.startApi();
    expect(await (await fetch(`${api.url}/doubts`)).json()).toMatchObject({ doubts: [] });
  });
});

it("A commit that PostgreSQL refuses is not done", async () => {
  const { url, pool } = await openDatabase();
  const { ended } = await start({
    database: fromPg(openPool(url)),
    work: async (tx, run) => {
      if (run === 1) await tx.query("insert into limited values (1), (1)");
    },
  });
  expect(await ended()).toMatchObject({ state: "completed", attemptsMade: 2 });
  expect(await ordersIn(pool)).toEqual([2]);
});

describe("a run that goes on after its time", () => {
  it("is called not done before it begins its transaction, and can never commit", async () => {
    const { url, pool } = await openDatabase();
    const gate = latch();
    const real = fromPg(openPool(url));
    let transactions = 0;
    let first: Promise<unknown> | undefined;
    const { ended, runs } = await start({
      database: {
        ...real,
        transaction(work) {
          transactions += 1;
          if (transactions > 1) return real.transaction(work);
          const late = gate.opened.then(() => real.transaction(work));
          first = late.catch((error) => error);
          return late;
        },
      },
    });
    expect(await ended()).toMatchObject({ state: "completed", result: { run: 1 } });
    gate.open();
    expect(await first).toBe(1); // the result of the run that was done
    expect({ runs: runs(), orders: await ordersIn(pool) }).toEqual({ runs: 1, orders: [1] });
  });
});

// A snooze lasts a quarter of a minute: they wait together.
describe.concurrent("a wait for a probe uses up no attempts", () => {
  it("because a run goes on after its time: it rolls back in the end, and its successor has waited", async () => {
    const { url, pool } = await openDatabase();
    const gate = latch();
    const { producer, id, runs } = await start({
      database: fromPg(openPool(url)),
      work: async (_, run) => {
        if (run === 1) await gate.opened;
      },
    });
    const snoozed = await until("the job is snoozed", async () => {
      const status = await producer.status(id);
      const isLater = Date.parse(status?.nextAttemptAt ?? "") > Date.now() + 10_000;
      return status?.state === "delayed" && isLater && status;
    });
    expect(snoozed.attemptsMade).toBe(1);
    gate.open();
    await until("the transaction has ended", async () => {
      const { rows } = await pool.query(
        "select from pg_stat_activity where datname = current_database() and state like 'idle in trans%'",
      );
      return rows.length === 0;
    });
    expect({ runs: runs(), orders: await ordersIn(pool) }).toEqual({ runs: 1, orders: [] });
    expect(await untilState(producer, id, "completed", "failed")).toMatchObject({ result: { run: 2 } });
    expect(await ordersIn(pool)).toEqual([2]);
  });

  it("because PostgreSQL is away", async () => {
    const server = await startPostgres({ isDurable: true });
    onTestFinished(() => server.stop());
    const { url, pool } = await openDatabase(server.url);
    const proxy = await startCommitProxy(url);
    proxy.breakNext("after the commit");
    const real = fromPg(openPool(proxy.url));
    let kill: Promise<void> | undefined;
    const { producer, id } = await start({
      database: {
        ...real,
        transaction: (work) =>
          real.transaction(work).catch(async (error) => {
            kill ??= server.kill();
            await kill;
            throw error;
          }),
      },
    });
    await until("the job is snoozed", async () => {
      const status = await producer.status(id);
      return status?.attemptsMade === 1 && Date.parse(status.nextAttemptAt ?? "") > Date.now() + 10_000;
    });
    await server.restart();
    expect(await untilState(producer, id, "completed", "failed")).toMatchObject({ result: { run: 1 } });
    expect(await ordersIn(pool)).toEqual([1]);
  });
});

it("Work that ends its own transaction leaves a doubt for a person", async () => {
  const { url, pool } = await openDatabase();
  const { ended, runs } = await start({
    database: fromPg(openPool(url)),
    work: (tx) => tx.query("commit; begin"),
  });
  expect(await ended()).toMatchObject({ state: "failed", error: { code: "EFFECT_IN_DOUBT" } });
  expect({ runs: runs(), orders: await ordersIn(pool), effects: await effectsIn(pool) }).toEqual({
    runs: 1,
    orders: [1],
    effects: ["begun"],
  });
});

it("A result that cannot be kept rolls the work back, and fails the job for good", async () => {
  const { url, pool } = await openDatabase();
  const database = fromPg(openPool(url));
  const handler = order.handler(async ({ effect }) => {
    await databaseEffect(effect, database, "order", async (tx) => {
      await tx.query(INSERT, [1]);
      return 1n as unknown;
    });
    return { run: 1 };
  });
  const service = createService(applicationOf(handler));
  await service.startWorker();
  const producer = await service.createProducer();
  const { id } = await producer.submit(order, null, { idempotencyKey: "k" });
  const failed = await untilState(producer, id, "completed", "failed");
  expect(failed).toMatchObject({ error: { code: "PERMANENT_FAILURE" }, effects: [] });
  expect(await ordersIn(pool)).toEqual([]);
});

it("A database effect is durable where the database is told not to be", async () => {
  const { url, pool } = await openDatabase();
  await pool.query("create table seen (durability text)");
  const durable = openPool(`${url}?options=-c%20synchronous_commit%3Doff`);
  const { ended } = await start({
    database: fromPg(durable),
    work: (tx) => tx.query("insert into seen select current_setting('synchronous_commit')"),
  });
  await ended();
  expect((await durable.query("show synchronous_commit")).rows).toEqual([{ synchronous_commit: "off" }]);
  expect((await pool.query("select durability from seen")).rows).toEqual([{ durability: "on" }]);
});

describe("two installations that share a database", () => {
  const key = effectKeyOf(dedupKeyOf("order", "k"), "order");
  const byEarlierVersion = (pool: pg.Pool, fence: number) =>
    pool.query("insert into holdfast_effects values ($1, $2, 'done', '7')", [key, fence]);
  const ownedBy = (pool: pg.Pool, installation: string, since: number) =>
    pool.query("update holdfast_effects set result = $1 where key = 'horizon'", [
      JSON.stringify({ installation, since }),
    ]);
  const MINUTE_MS = 60_000;

  it("each do the work of equal jobs, also at the same time, and know their own rows again", async () => {
    const { url, pool } = await openDatabase();
    const both = await Promise.all([1, 2].map(() => start({ database: fromPg(openPool(url)) })));
    for (const { ended } of both)
      expect(await ended()).toMatchObject({ state: "completed", result: { run: 1 } });
    expect(await ordersIn(pool)).toEqual([1, 1]);

    const database = fromPg(openPool(url));
    for (const { service } of both) {
      const call = { key, fence: Date.now() + MINUTE_MS, installation: service.env.HOLDFAST_PREFIX };
      const known = await database.transaction(async (tx) =>
        claim(database, tx, await rowOf({ ...database }, tx, call), "begun"),
      );
      expect(known).toEqual({ state: "done", result: 1 });
    }
  });

  it("find the rows of earlier versions: the first one all of them", async () => {
    const { url, pool } = await openDatabase();
    await byEarlierVersion(pool, Date.now() - MINUTE_MS);
    const { ended, runs } = await start({ database: fromPg(openPool(url)) });
    expect(await ended()).toMatchObject({ state: "completed", result: { run: 7 } });
    expect(runs()).toBe(0);
    // Which in turn find its rows: the owner's keys are as they were.
    expect(await effectsIn(pool)).toEqual(["done"]);
  });

  it("take no other's row for theirs: what an earlier version wrote for nobody knows whom is in doubt", async () => {
    const { url, pool } = await openDatabase();
    await byEarlierVersion(pool, Date.now() - MINUTE_MS);
    await ownedBy(pool, "other", Date.now());
    const { ended, runs } = await start({ database: fromPg(openPool(url)) });
    expect(await ended()).toMatchObject({ state: "failed", error: { code: "EFFECT_IN_DOUBT" } });
    expect(runs()).toBe(0);
  });

  it("do their own work beside a row that the owner has written since", async () => {
    const { url, pool } = await openDatabase();
    await ownedBy(pool, "other", Date.now() - 2 * MINUTE_MS);
    await byEarlierVersion(pool, Date.now() - MINUTE_MS);
    const { ended } = await start({ database: fromPg(openPool(url)) });
    expect(await ended()).toMatchObject({ state: "completed", result: { run: 1 } });
  });

  it("ask for the run of an earlier version, which then never begins", async () => {
    const { url, pool } = await openDatabase();
    const fence = Date.now();
    await ownedBy(pool, "other", fence - 2 * MINUTE_MS);
    const database = fromPg(openPool(url));
    const ask = async (askedFence: number) => {
      const call = { key, fence: askedFence, installation: "mine" };
      return await database.transaction(async (tx) =>
        claim(database, tx, await rowOf(database, tx, call), "not-done"),
      );
    };
    await byEarlierVersion(pool, fence);
    expect(await ask(fence)).toEqual({ state: "done", result: 7 });
    await pool.query("delete from holdfast_effects where state <> 'horizon'");
    expect(await ask(fence)).toMatchObject({ state: "claimed" });
    const earlier = await database.transaction((tx) => claim(database, tx, { key, fence }, "begun"));
    expect(earlier).toEqual({ state: "not-done" });
  });
});

describe("an effect's row", () => {
  const claimed = { state: "claimed", schema: "public" };

  async function openRows() {
    const { pool } = await openDatabase();
    const database = fromPg(pool);
    const claimAs = (state: "begun" | "not-done", fence: number) =>
      database.transaction((tx) => claim(database, tx, { key: "a", fence }, state));
    return { pool, database, claimAs };
  }

  it("goes from a run that is not done to a later one, never back", async () => {
    const { claimAs } = await openRows();
    expect(await claimAs("not-done", 5)).toEqual(claimed);
    expect(await claimAs("begun", 4)).toEqual({ state: "not-done" });
    expect(await claimAs("begun", 5)).toEqual({ state: "not-done" });
    expect(await claimAs("not-done", 5)).toEqual({ state: "not-done" });
    expect(await claimAs("begun", 6)).toEqual(claimed);
    expect(await claimAs("not-done", 7)).toEqual({ state: "begun" });
  });

  it("is forgotten 31 days after its run; older runs and doubts are then not answered", async () => {
    const { pool, database, claimAs } = await openRows();
    const now = REMEMBERED_MS * 10;
    const day = REMEMBERED_MS / 30;
    await pool.query(
      "insert into holdfast_effects select n::text, $1::bigint - n * $2::bigint, 'done', '1' from generate_series(1, 2040) n",
      [now, day],
    );
    await forgetOld(database, now);
    await forgetOld({ ...database }, now); // another process
    await forgetOld({ ...database }, now);
    const { rows } = await pool.query(
      "select max(key::int) as oldest from holdfast_effects where state = 'done'",
    );
    expect(rows).toEqual([{ oldest: 31 }]);
    expect(await claimAs("not-done", now - 31 * day)).toEqual({ state: "none" });
    expect(await claimAs("begun", now - 31 * day)).toEqual({ state: "none" });
    expect(await claimAs("not-done", now - 29 * day)).toEqual(claimed);
  });
});

it("A Redis whose clock was ahead stops no later effect, and makes nothing be forgotten", async () => {
  const { url, pool } = await openDatabase();
  const database = fromPg(openPool(url));
  await pool.query("insert into holdfast_effects values ('known', $1, 'done', '1')", [
    Date.now() - REMEMBERED_MS / 2,
  ]);
  await forgetOld(database, Date.now() + 10 * REMEMBERED_MS);

  const { ended } = await start({ database });

  expect(await ended()).toMatchObject({ state: "completed" });
  expect((await pool.query("select from holdfast_effects where key = 'known'")).rows).toHaveLength(1);
});

it("Work may set its search_path, also to a schema with a table of effects", async () => {
  const url = await createDatabase(inject("postgresUrl"));
  const pool = openPool(`${url}?options=-c%20search_path%3D%22MyApp%22`);
  await pool.query(`create schema "MyApp"; create schema tenant; ${TABLES}`);
  await pool.query(`begin; set local search_path = tenant; ${databaseEffectSql()} commit`);
  const { ended, runs } = await start({
    database: fromPg(pool),
    work: (tx) => tx.query("set local search_path = tenant"),
  });
  expect(await ended()).toMatchObject({ state: "completed" });
  expect({ runs: runs(), effects: await effectsIn(pool) }).toEqual({ runs: 1, effects: ["done"] });
});

it("The example of docs/database.md writes its rows, and can be tested alone", async () => {
  const { url, pool } = await openDatabase();
  await pool.query(`create table invoices (number int generated always as identity, customer text, cents int);
    create table customers (name text, invoiced int);
    insert into customers values ('Anoop', 0)`);
  const examplePool = openExamplePool(url);
  onTestFinished(() => examplePool.end());
  const handler = writeInvoiceHandler(examplePool);
  const payload = { customer: "Anoop", cents: 999 };
  const ended = await runHandler(handler, payload, { idempotencyKey: "invoice-1" });
  const again = await runHandler(handler, payload, { idempotencyKey: "invoice-1" });
  expect([ended.result, again.result]).toEqual([{ number: "1" }, { number: "1" }]);
  expect((await pool.query("select invoiced from customers")).rows).toEqual([{ invoiced: 999 }]);
});

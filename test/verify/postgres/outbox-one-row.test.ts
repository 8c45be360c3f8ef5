import pg from "pg";
import { describe, expect, inject, it } from "vitest";
import { createOutboxService, notedApplication, type OutboxService } from "../../support/outbox.ts";
import { until } from "../../support/until.ts";

const add = (service: OutboxService, row: string, ...values: readonly string[]) =>
  service.pool.query(
    `INSERT INTO holdfast_outbox (type, payload, idempotency_key, ordering_key, changed_at) SELECT ${row}`,
    [...values],
  );
const addGood = (service: OutboxService, key: string, orderingKey = "NULL") =>
  add(service, `'note', '1', '${key}', ${orderingKey}, now()`);
const leftOf = async (service: OutboxService) => (await service.rows()).map((row) => row.idempotency_key);
const problems = async (service: OutboxService) =>
  (await service.rows()).map(({ problem }) => problem?.code ?? "none");
/** Everything that can be accepted is. */
const untilLeft = (service: OutboxService, count: number) =>
  until(`${count} rows are left, all parked`, async () => {
    const rows = await service.rows();
    return rows.length === count && rows.every(({ state }) => state === "parked");
  });

describe("one row does not stop the others:", () => {
  it("a type, a key or an ordering key that is too large is parked unread, and listed by its beginning", async () => {
    const service = await createOutboxService(notedApplication);
    await add(service, "repeat('t', 40000000), '1', 'a', NULL, now()");
    await add(service, "'note', '1', repeat('k', 40000000), NULL, now()");
    await add(service, "'note', '1', 'b', repeat('o', 100000), now()");
    await add(service, "'note', '1', 'c', repeat('p', 100000), now()");
    await addGood(service, "behind", "repeat('o', 100000)");
    await addGood(service, "good");
    await addGood(service, "ordered", "'z'");
    await service.startRelay();

    await until("four are parked, and the good ones gone", async () => {
      const states = (await service.rows()).map(({ state }) => state).sort();
      return states.join() === "parked,parked,parked,parked,waiting";
    });

    expect(await problems(service)).toEqual([...Array(4).fill("OUTBOX_ROW_TOO_LARGE"), "none"]);
    const listed = await (await service.createOperator()).outbox.parked({ limit: 10 });
    expect(JSON.stringify(listed).length).toBeLessThan(10_000);
    expect(listed[0]?.type).toMatch(/^t{100}\.\.\. \(40000000 bytes\)$/);
    expect(listed[1]?.idempotencyKey).toMatch(/^k{100}\.\.\. \(40000000 bytes\)$/);
  });

  it("many that decompress to a thousand times their size are measured one look after the other", async () => {
    const service = await createOutboxService(notedApplication);
    await add(service, "'note', to_json(repeat('x', 100000000)), 'x', NULL, now()");
    for (let n = 0; n < 4; n += 1)
      await service.pool.query(`INSERT INTO holdfast_outbox (type, payload, idempotency_key)
        SELECT type, payload, idempotency_key FROM holdfast_outbox`);
    await addGood(service, "good");
    await service.startRelay();

    await untilLeft(service, 16);

    expect(new Set(await problems(service))).toEqual(new Set(["OUTBOX_ROW_TOO_LARGE"]));
  });

  it("one that a transaction has locked ends the chain of its key, and no other waits", async () => {
    const service = await createOutboxService(notedApplication);
    for (const n of [1, 2, 3]) await addGood(service, `k${n}`, "'k'");
    const tx = await service.pool.connect();
    await tx.query("BEGIN");
    await tx.query("SELECT 1 FROM holdfast_outbox WHERE idempotency_key = 'k2' FOR UPDATE");
    for (const n of [1, 2, 3]) await addGood(service, `l${n}`, "'l'");
    await addGood(service, "alone");
    await service.startRelay();

    await until(
      "only the locked one and those behind are left",
      async () => (await leftOf(service)).join() === "k2,k3",
    );
    await addGood(service, "later");
    await until("a later one is accepted, too", async () => (await leftOf(service)).join() === "k2,k3");
    await tx.query("COMMIT");
    tx.release();
    await until("all are accepted", async () => (await leftOf(service)).length === 0);

    const waiting = await service.openBareQueue().getJobs("waiting", 0, -1, true);
    const keys = waiting.map(({ data }) => String(data.key));
    expect(keys.filter((key) => key.startsWith("k"))).toEqual(["k1", "k2", "k3"]);
    expect(keys.filter((key) => /^l\d/.test(key))).toEqual(["l1", "l2", "l3"]);
  });

  it("one whose time is infinite, or of another age, is parked as too old", async () => {
    const service = await createOutboxService(notedApplication);
    for (const time of ["infinity", "-infinity", "4000-01-01 BC", "9999-01-01"])
      await add(service, `'note', '1', '${time}', NULL, '${time}'`);
    await addGood(service, "good");
    const depth = await (await service.createOperator()).outbox.depth();
    expect(depth).toMatchObject({ waiting: 5 });
    await service.startRelay();

    await untilLeft(service, 4);

    expect(new Set(await problems(service))).toEqual(new Set(["OUTBOX_ROW_TOO_OLD"]));
    const listed = await (await service.createOperator()).outbox.parked({
      code: "OUTBOX_ROW_TOO_OLD",
      limit: 10,
    });
    expect(listed).toHaveLength(4);
  });

  it("one whose problem has what PostgreSQL's texts cannot hold is released with the others of its code", async () => {
    const service = await createOutboxService(notedApplication);
    const names = ["\\u0000", "\\ud800", "\\u2026", "x"];
    for (const name of names)
      await add(service, "'greeting', $1::json, $2, NULL, now()", `{"${name}": 1}`, name);
    const relay = await service.startRelay();
    await untilLeft(service, 4);
    await relay.stop();
    // As an earlier version has kept it.
    await service.pool.query(
      `UPDATE holdfast_outbox SET problem = '{"code":"INVALID_PAYLOAD","message":"\\u0000"}' WHERE idempotency_key = 'x'`,
    );

    const { outbox } = await service.createOperator();
    expect(await outbox.parked({ code: "INVALID_PAYLOAD", limit: 10 })).toHaveLength(4);
    const tx = await service.pool.connect();
    await tx.query("BEGIN; SELECT 1 FROM holdfast_outbox WHERE idempotency_key = 'x' FOR UPDATE");
    expect(await outbox.releaseAll("INVALID_PAYLOAD", { by: "test" })).toBe(3);
    await tx.query("COMMIT");
    tx.release();
  });
});

/** A database in another encoding. */
async function createEncoded(encoding: string): Promise<string> {
  const server = inject("postgresUrl");
  const name = `e${Math.random().toString(36).slice(2)}`;
  const client = new pg.Client(server);
  await client.connect();
  await client.query(
    `CREATE DATABASE ${name} ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
  );
  await client.end();
  return new URL(name, server).href;
}

describe("a database in another encoding", () => {
  it("has a row that cannot be converted parked, also with an ordering key, and listed; the others go on", async () => {
    const service = await createOutboxService(notedApplication, {}, undefined, await createEncoded("EUC_JP"));
    const client = new pg.Client(service.databaseUrl);
    await client.connect();
    await client.query("SET client_encoding TO EUC_JP");
    // Bytes of the encoding that no character has.
    const bad = "convert_from('\\xa9a1'::bytea, 'EUC_JP')";
    await client.query(`INSERT INTO holdfast_outbox (type, payload, idempotency_key, ordering_key) VALUES
      ('note', to_json(${bad}), 'a', NULL), (${bad}, '1', 'b', NULL), ('note', '1', ${bad}, 'k'), ('note', '1', 'c', ${bad})`);
    await client.end();
    for (let n = 0; n < 20; n += 1) await addGood(service, `good${n}`);
    await addGood(service, "ordered", "'z'");
    await service.startRelay();

    await until("only parked rows are left", async () => {
      const { rows } = await service.pool.query("SELECT state FROM holdfast_outbox");
      return rows.length === 4 && rows.every(({ state }) => state === "parked");
    });

    const listed = await (await service.createOperator()).outbox.parked({ limit: 10 });
    expect(listed.map(({ problem, type }) => [problem.code, type])).toEqual(
      Array(4).fill(["OUTBOX_ROW_UNREADABLE", "(unreadable)"]),
    );
  });

  it("takes a problem whose characters it does not have", async () => {
    const service = await createOutboxService(notedApplication, {}, undefined, await createEncoded("LATIN1"));
    await add(service, "'greeting', $1::json, 'a', NULL, now()", '{"\\u2026": 1}');
    await addGood(service, "good");
    await service.startRelay();

    await untilLeft(service, 1);

    expect(await problems(service)).toEqual(["INVALID_PAYLOAD"]);
  });
});

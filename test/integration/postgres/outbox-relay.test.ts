import { outbox } from "holdfast/postgres";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import { createClaimer } from "../../../src/roles/outbox/claim.ts";
import { withDatabase } from "../../../src/roles/outbox/database.ts";
import { scrape } from "../../support/metrics.ts";
import { createOutboxService, note, notedApplication, type OutboxService } from "../../support/outbox.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { until } from "../../support/until.ts";

async function jobsOf(service: OutboxService) {
  return (await (await service.createOperator()).list({ limit: 200 })).jobs;
}

const untilEmpty = (service: OutboxService) =>
  until("the outbox is empty", async () => (await service.rows()).length === 0);
const untilParked = (service: OutboxService, count: number) =>
  until(`${count} rows are parked`, async () => {
    const parked = (await service.rows()).filter(({ state }) => state === "parked");
    return parked.length === count && parked;
  });
/** A row as another program writes it. */
const insert = (service: OutboxService, row: Readonly<Record<string, string | null>>) =>
  service.pool.query(
    `INSERT INTO holdfast_outbox (${Object.keys(row).join(", ")}) VALUES (${Object.keys(row).map((_, index) => `$${index + 1}`)})`,
    Object.values(row),
  );

describe("a relay", () => {
  it("submits what was committed, and nothing of a transaction that was rolled back", async () => {
    const service = await createOutboxService(notedApplication);
    await service.startRelay();

    await service.commit((tx) => outbox.add(tx, note, { n: 1 }, { idempotencyKey: "kept", priority: 3 }));
    const tx = await service.pool.connect();
    await tx.query("BEGIN");
    await outbox.add(tx, note, { n: 2 }, { idempotencyKey: "undone" });
    await tx.query("ROLLBACK");
    tx.release();
    await service.commit((last) => outbox.add(last, note, { n: 3 }, { idempotencyKey: "last" }));
    await untilEmpty(service);

    const keys = (await jobsOf(service)).map(({ idempotencyKey, state }) => `${idempotencyKey} ${state}`);
    expect(keys.sort()).toEqual(["kept prioritized", "last waiting"]);
  });

  it("submits a row again after a crash between acceptance and deletion, and there is one job", async () => {
    const service = await createOutboxService(notedApplication);
    const producer = await service.createProducer();
    await service.commit((tx) => outbox.add(tx, note, { n: 1 }, { idempotencyKey: "crash", priority: 3 }));
    const accepted = await producer.submit(note, { n: 1 }, { idempotencyKey: "crash", priority: 3 });

    await service.startRelay();
    await untilEmpty(service);

    expect((await jobsOf(service)).map(({ id }) => id)).toEqual([accepted.id]);
  });

  it("shares the rows with other relays: each row is one job", async () => {
    const service = await createOutboxService(notedApplication);
    const keys = Array.from({ length: 1_000 }, (_, index) => `shared-${index}`);
    await service.commit(async (tx) => {
      for (const idempotencyKey of keys) await outbox.add(tx, note, idempotencyKey, { idempotencyKey });
    });

    await Promise.all([1, 2, 3].map(() => service.startRelay()));
    await untilEmpty(service);

    const counts = await service.openBareQueue().getJobCounts("waiting");
    expect(counts.waiting).toBe(keys.length);
  });

  it("submits a job without a payload", async () => {
    const service = await createOutboxService(notedApplication);
    await service.commit((tx) => outbox.add(tx, note, undefined, { idempotencyKey: "bare" }));
    await service.startRelay();

    await untilEmpty(service);
  });

  it("learns of a row by its notification", async () => {
    const service = await createOutboxService(notedApplication);
    await service.startRelay();
    const tookMs: number[] = [];
    for (let n = 0; n < 10; n += 1) {
      await service.commit((tx) => outbox.add(tx, note, n, { idempotencyKey: `quick-${n}` }));
      const committedAt = performance.now();
      await untilEmpty(service);
      tookMs.push(performance.now() - committedAt);
    }
    // A look without it comes each second.
    expect(tookMs.sort((a, b) => a - b)[4]).toBeLessThan(400);
  });

  it("finds rows without the trigger, too", async () => {
    const service = await createOutboxService(notedApplication);
    await service.pool.query("DROP TRIGGER holdfast_outbox_added ON holdfast_outbox");
    await service.startRelay();

    await service.commit((tx) => outbox.add(tx, note, 1, { idempotencyKey: "unnoticed" }));

    await untilEmpty(service);
  });

  it("keeps accepted rows for as long as is configured", async () => {
    const service = await createOutboxService(notedApplication, { HOLDFAST_OUTBOX_KEEP_MS: "86400000" });
    const old = { type: "note", payload: "1", idempotency_key: "old", state: "accepted" };
    await insert(service, { ...old, changed_at: "2020-01-01" });
    await service.commit((tx) => outbox.add(tx, note, 1, { idempotencyKey: "kept" }));

    await service.startRelay();

    await until("one is accepted and the old one gone", async () => {
      const states = (await service.rows()).map(
        ({ idempotency_key, state }) => `${idempotency_key} ${state}`,
      );
      return states.join() === "kept accepted";
    });
  });
});

describe("a row that can never be accepted", () => {
  it("is parked with its problem, whatever is wrong with it, and the others go on", async () => {
    const service = await createOutboxService(notedApplication);
    const bad = [
      { type: "unknown", payload: "1", idempotency_key: "a" },
      { type: "greeting", payload: '{"name": 1}', idempotency_key: "b" },
      { type: "greeting", payload: '{"name": "x", "name": "y"}', idempotency_key: "c" },
      { type: "note", payload: "1", idempotency_key: "schedule:nightly:x" },
      { type: "note", payload: "1", idempotency_key: "d", options: '{"delayMs": -1}' },
      { type: "note", payload: "123456789012345678901234567890", idempotency_key: "e" },
      { type: "note", payload: "1", idempotency_key: "same" },
      { type: "note", payload: "2", idempotency_key: "same" },
    ];
    for (const row of bad) await insert(service, row);
    await service.startRelay();

    const parked = await untilParked(service, 7);

    expect(parked.map(({ problem }) => problem?.code)).toEqual([
      "UNKNOWN_JOB_TYPE",
      "INVALID_PAYLOAD",
      "INVALID_PAYLOAD",
      "IDEMPOTENCY_KEY_INVALID",
      "INVALID_REQUEST",
      "INVALID_PAYLOAD",
      "IDEMPOTENCY_KEY_REUSED",
    ]);
    expect(await jobsOf(service)).toHaveLength(1);
  });

  it("is one that is older than its key is remembered: it could be a second job", async () => {
    const service = await createOutboxService(notedApplication, { HOLDFAST_RETENTION_MS: "60000" });
    const row = { type: "note", payload: "1", idempotency_key: "old" };
    await insert(service, { ...row, changed_at: new Date(Date.now() - 59_000).toISOString() });
    await insert(service, { ...row, idempotency_key: "new" });
    await service.startRelay();

    const parked = await untilParked(service, 1);

    expect(parked).toMatchObject([{ idempotency_key: "old", problem: { code: "OUTBOX_ROW_TOO_OLD" } }]);
  });
});

/** Rows of `kibibytes` KiB, without an ordering key if there is none for them. */
const insertLarge = (service: OutboxService, kibibytes: number, orderingKeys: readonly (string | null)[]) =>
  service.pool.query(
    `INSERT INTO holdfast_outbox (type, payload, idempotency_key, ordering_key)
      SELECT 'note', to_json(repeat('x', $1::int * 1024)), n::text, key FROM unnest($2::text[]) WITH ORDINALITY AS given (key, n)`,
    [kibibytes, orderingKeys],
  );

describe("large rows", () => {
  it("are read as far as they have a mebibyte together, each kind, and every key has its turn", async () => {
    const service = await createOutboxService(notedApplication);
    await insertLarge(service, 600, [null, null, "a", "a", "b", "b", "c"]);
    await withDatabase(service.databaseUrl, async (database) => {
      const claimer = createClaimer(database);
      const look = async () => {
        const { chains, hasMore } = await claimer.look([], 8);
        return [hasMore, ...chains.flat().map(({ idempotency_key: key }) => key)];
      };
      expect([await look(), await look(), await look(), await look()]).toEqual([
        [true, "1", "3", "4"],
        [true, "1", "5", "6"],
        [true, "1", "7"],
        [true, "1", "3", "4"],
      ]);
    });

    await service.startRelay();
    await untilEmpty(service);

    const waiting = await service.openBareQueue().getJobs("waiting", 0, -1, true);
    const order = waiting.map(({ data }) => Number(data.key));
    expect(order).toHaveLength(7);
    expect(order.indexOf(3)).toBeLessThan(order.indexOf(4));
    expect(order.indexOf(5)).toBeLessThan(order.indexOf(6));
  });

  it("are parked unread beyond 16 MiB, and refused by outbox.add", async () => {
    const service = await createOutboxService(notedApplication);
    await insertLarge(service, 16 * 1024, [null]);
    await insert(service, { type: "note", payload: "1", idempotency_key: "small" });
    await service.startRelay();

    expect(await untilParked(service, 1)).toMatchObject([{ problem: { code: "OUTBOX_ROW_TOO_LARGE" } }]);
    await until("the other one is accepted", async () => (await service.rows()).length === 1);
    expect(() => outbox.sql(note, "x".repeat(16 * 1_048_576), { idempotencyKey: "large" })).toThrow(
      expect.objectContaining({ code: "OUTBOX_ROW_TOO_LARGE" }),
    );
  });
});

describe("rows of one ordering key", () => {
  it("keep their order over many relays, and others do not wait for them", async () => {
    const service = await createOutboxService(notedApplication);
    const keys = ["a", "b", "c"];
    await service.commit(async (tx) => {
      for (let n = 0; n < 300; n += 1) {
        const orderingKey = keys[n % 3] ?? "a";
        await outbox.add(tx, note, n, { idempotencyKey: String(n), orderingKey });
      }
    });
    await Promise.all([1, 2, 3].map(() => service.startRelay()));
    await untilEmpty(service);

    const waiting = await service.openBareQueue().getJobs("waiting", 0, -1, true);
    const order = waiting.map(({ data }) => Number(data.key));
    expect(order).toHaveLength(300);
    for (const [index] of keys.entries()) {
      const ofKey = order.filter((n) => n % 3 === index);
      expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b));
    }
  });

  it("wait behind a parked one until it is mended or discarded", async () => {
    const service = await createOutboxService(notedApplication);
    const operator = await service.createOperator();
    const row = { type: "greeting", ordering_key: "k" };
    await insert(service, { ...row, payload: '{"name": 1}', idempotency_key: "first" });
    await insert(service, { ...row, payload: '{"name": "b"}', idempotency_key: "second" });
    await insert(service, {
      ...row,
      payload: '{"name": "c"}',
      idempotency_key: "elsewhere",
      ordering_key: "l",
    });
    await service.startRelay();
    const [parked] = await untilParked(service, 1);
    await until("the other key's row is accepted", async () => (await service.rows()).length === 2);

    expect(await operator.outbox.parked({ limit: 10 })).toMatchObject([
      { id: parked?.id, type: "greeting", orderingKey: "k", behind: 1, problem: { code: "INVALID_PAYLOAD" } },
    ]);
    await operator.outbox.release(parked?.id ?? "", { payload: { name: "a" } }, { by: "test" });
    await untilEmpty(service);

    const waiting = await service.openBareQueue().getJobs("waiting", 0, -1, true);
    const keys = waiting.map(({ data }) => data.key);
    expect(keys.indexOf("first")).toBeLessThan(keys.indexOf("second"));
    expect(keys).toHaveLength(3);
  });

  it("are all reached, also behind more blocked keys than one look covers", async () => {
    const service = await createOutboxService(notedApplication);
    await service.pool.query(`INSERT INTO holdfast_outbox (type, payload, idempotency_key, ordering_key, state)
      SELECT 'note', '1', 'parked-' || n, 'a' || n, 'parked' FROM generate_series(1, 450) n`);
    await service.pool.query(`INSERT INTO holdfast_outbox (type, payload, idempotency_key, ordering_key)
      SELECT 'note', '1', 'behind-' || n, 'a' || n FROM generate_series(1, 450) n`);
    await insert(service, { type: "note", payload: "1", idempotency_key: "free", ordering_key: "z" });
    const first = await withDatabase(service.databaseUrl, (database) => createClaimer(database).look([], 8));
    expect(first).toMatchObject({ chains: [[{ idempotency_key: "free" }]], hasMore: false });

    await service.startRelay();

    await until("the free one is accepted", async () => (await jobsOf(service)).length === 1);
  });
});

/** A relay whose Redis the test may damage. */
async function startOnOwnRedis() {
  const redis = await startRedisServer();
  onTestFinished(redis.stop);
  const variables = { REDIS_URL: redis.url, HOLDFAST_METRICS_PORT: "0" };
  const service = await createOutboxService(notedApplication, variables);
  return { redis, service, relay: await service.startRelay() };
}

describe("while Redis is away", () => {
  it("rows wait, nothing is parked, and all are submitted once it is back", async () => {
    const { redis, service, relay } = await startOnOwnRedis();
    await redis.kill();
    await service.commit(async (tx) => {
      for (let n = 0; n < 20; n += 1) await outbox.add(tx, note, n, { idempotencyKey: String(n) });
    });
    await until("the relay has tried", async () => {
      const reading = await scrape(relay.metricsUrl ?? "");
      return (reading.value("holdfast_outbox_relayed_total", { type: "note", outcome: "deferred" }) ?? 0) > 0;
    });
    expect((await service.rows()).map(({ state }) => state)).toEqual(Array(20).fill("waiting"));

    await redis.restart();
    await untilEmpty(service);

    expect(await jobsOf(service)).toHaveLength(20);
    await relay.stop();
  });
});

describe("while Redis is full", () => {
  it("rows wait, nothing is parked, and all are submitted once there is room", async () => {
    const { redis, service, relay } = await startOnOwnRedis();
    const admin = new Redis(redis.url);
    onTestFinished(() => admin.disconnect());
    await admin.config("SET", "maxmemory", "1");
    await service.commit(async (tx) => {
      for (let n = 0; n < 20; n += 1)
        await outbox.add(tx, note, n, { idempotencyKey: String(n), orderingKey: `k${n % 2}` });
    });
    await until("the relay has tried again", async () => {
      const reading = await scrape(relay.metricsUrl ?? "");
      return (reading.value("holdfast_outbox_relayed_total", { type: "note", outcome: "deferred" }) ?? 0) > 2;
    });
    expect((await service.rows()).map(({ state }) => state)).toEqual(Array(20).fill("waiting"));
    expect(await jobsOf(service)).toEqual([]);

    await admin.config("SET", "maxmemory", "0");
    await untilEmpty(service);

    const waiting = await service.openBareQueue().getJobs("waiting", 0, -1, true);
    const order = waiting.map(({ data }) => Number(data.key));
    expect(order.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n));
    for (const rest of [0, 1]) {
      const ofKey = order.filter((n) => n % 2 === rest);
      expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b));
    }
  });
});

describe("a relay that is stopped", () => {
  it("finishes what it has submitted, leaves the rest, and nothing is sent twice", async () => {
    const { redis, service, relay } = await startOnOwnRedis();
    process.kill(redis.pid, "SIGSTOP");
    await service.commit(async (tx) => {
      for (let n = 0; n < 30; n += 1)
        await outbox.add(tx, note, n, {
          idempotencyKey: String(n),
          ...(n % 3 === 0 && { orderingKey: "k" }),
        });
    });
    await until("it waits for Redis with the rows that it has claimed", async () => {
      const { rows } =
        await service.pool.query(`SELECT FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'holdfast relay' AND state = 'idle in transaction'
        AND clock_timestamp() - state_change > interval '100 ms'`);
      return rows.length === 1;
    });

    const stopping = relay.stop();
    process.kill(redis.pid, "SIGCONT");
    await stopping;

    const left = (await service.rows()).map(({ idempotency_key, state }) => `${idempotency_key} ${state}`);
    const sent = (await jobsOf(service)).map(({ idempotencyKey }) => idempotencyKey);
    expect(sent).toContain("0"); // the first of its ordering key
    expect(sent).toContain("1");
    const all = Array.from({ length: 30 }, (_, n) => String(n));
    expect(left).toEqual(all.filter((key) => !sent.includes(key)).map((key) => `${key} waiting`));
    expect(left).toContain("3 waiting");

    const next = await service.startRelay();
    await untilEmpty(service);
    const reading = await scrape(next.metricsUrl ?? "");
    const relayed = (outcome: string) =>
      reading.value("holdfast_outbox_relayed_total", { type: "note", outcome });
    expect([relayed("accepted"), relayed("duplicate")]).toEqual([left.length, 0]);
    expect(await jobsOf(service)).toHaveLength(30);
  });
});

describe("when the database ends a relay's session", () => {
  it("the relay connects again, and no row is lost", async () => {
    const service = await createOutboxService(notedApplication);
    await service.startRelay();
    for (let n = 0; n < 5; n += 1) {
      await service.pool.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast relay' AND datname = current_database()",
      );
      await service.commit((tx) => outbox.add(tx, note, n, { idempotencyKey: String(n) }));
    }
    await untilEmpty(service);

    expect(await jobsOf(service)).toHaveLength(5);
  });
});

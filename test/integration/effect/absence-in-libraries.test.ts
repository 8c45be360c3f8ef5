import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { defineJob } from "holdfast";
import { connection, http, sql } from "holdfast/evidence";
import { runHandler } from "holdfast/testing";
import pg from "pg";
import { ProxyAgent, fetch as undiciFetch } from "undici";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { z } from "zod";
import type { EffectDeclaration } from "../../../src/core/job/effect.ts";
import { get, post as postTo } from "../../support/http.ts";
import { latch } from "../../support/latch.ts";
import { createDatabase } from "../../support/postgres.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const charging = (declaration: Partial<EffectDeclaration>) =>
  defineJob({
    type: "charge",
    payload: z.unknown(),
    result: z.unknown(),
    retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 0 } },
    timeoutMs: 10_000,
    effects: { act: { timeoutMs: 5_000, inDoubt: "hold", ...declaration } as EffectDeclaration },
  });

async function run(act: () => Promise<unknown>, declaration: Partial<EffectDeclaration>) {
  const handler = charging(declaration).handler(async ({ effect }) => await effect("act", act));
  const { effects, logs } = await runHandler(handler, null);
  const warned = logs.find(({ message }) => message === "effect in doubt")?.fields;
  return { state: effects[0]?.state, because: warned?.because as string | undefined };
}

async function closedPort(): Promise<number> {
  const server = createServer();
  const port = await portOf(server);
  server.close();
  await once(server, "close");
  return port;
}

async function portOf(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** A proxy to PostgreSQL that vanishes, listener and all, instead of the reply to the next insert. */
async function startVanishing(databaseUrl: string) {
  const to = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(to.port), to.hostname);
    let isInserting = false;
    client.on("data", (chunk) => {
      isInserting = /insert/i.test(chunk.toString("latin1"));
      upstream.write(chunk);
    });
    upstream.on("data", (chunk) => {
      if (!isInserting) return void client.write(chunk);
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    for (const socket of [client, upstream]) sockets.add(socket.on("error", () => {}));
  });
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const url = new URL(databaseUrl);
  url.port = String(await portOf(server));
  // The pool knows it by name, an effect that tries again by address.
  url.hostname = "localhost";
  return url.href;
}

describe("pg", () => {
  const INSERT = "insert into orders values (1)";

  async function start() {
    const url = await createDatabase(inject("postgresUrl"));
    const direct = new pg.Pool({ connectionString: url, max: 1 });
    onTestFinished(() => direct.end());
    await direct.query("create table orders (run int not null check (run < 5))");
    const rows = async () => (await direct.query("select * from orders")).rows.length;
    const vanishing = await startVanishing(url);
    const pool = new pg.Pool({ connectionString: vanishing, max: 1 }).on("error", () => {});
    onTestFinished(() => pool.end().catch(() => {}));
    return { direct, pool, rows, vanishing };
  }

  it.each([
    ["sql", sql],
    ["connection", connection],
  ])(
    "leaves a doubt where its pool wrote for the effect in another context, and the second try is refused: %s",
    async (_, classify) => {
      const { pool, rows, vanishing } = await start();
      const busy = await pool.connect();
      busy.on("error", () => {});
      const waits = latch();
      const released = waits.opened.then(() => busy.release());
      const { state } = await run(
        async () => {
          const mine = pool.query(INSERT);
          waits.open();
          await released;
          await mine.catch(async () => {
            const again = new pg.Client({ connectionString: vanishing.replace("localhost", "127.0.0.1") });
            await again.connect();
          });
        },
        { classify },
      );
      expect(state).toBe("in-doubt");
      await expect.poll(rows).toBe(1);
    },
  );

  it("is believed where the effect's own statement is refused, beside those of others", async () => {
    const { direct } = await start();
    const url = direct.options.connectionString;
    // Each has a client of its own: one that is released before its answer has ended sends the next statement in another's name.
    const pool = new pg.Pool({ connectionString: url, max: 20, maxUses: 1 });
    onTestFinished(() => pool.end());
    const act = async () => {
      const client = await pool.connect();
      try {
        await client.query("insert into orders values (9)");
      } finally {
        client.release();
      }
    };
    const states = await Promise.all(Array.from({ length: 20 }, () => run(act, { classify: sql })));
    expect(states.map(({ state, because }) => [state, because])).toEqual(
      states.map(() => ["not-done", undefined]),
    );
  });
});

/** A proxy to PostgreSQL that keeps back the end of an answer which fails a transaction. */
async function startKeepingBack(databaseUrl: string, released: Promise<unknown>) {
  const FAILED = Buffer.from("Z\0\0\0\x05E");
  const to = new URL(databaseUrl);
  const server = createServer((client) => {
    const upstream = connect(Number(to.port), to.hostname);
    client.pipe(upstream);
    upstream.on("data", (chunk: Buffer) => {
      const isFailed = chunk.subarray(-FAILED.length).equals(FAILED);
      client.write(isFailed ? chunk.subarray(0, -FAILED.length) : chunk);
      if (isFailed) void released.then(() => client.write(FAILED));
    });
    for (const socket of [client, upstream]) socket.on("error", () => {});
  });
  onTestFinished(() => void server.close());
  const url = new URL(databaseUrl);
  url.port = String(await portOf(server));
  return url.href;
}

describe("pg, whose refusal arrives before the end of its answer", () => {
  it("takes the rollback for an act of its own transaction, not of the effect that opened the connection", async () => {
    const url = await createDatabase(inject("postgresUrl"));
    const direct = new pg.Pool({ connectionString: url, max: 1 });
    onTestFinished(() => direct.end());
    await direct.query("create table orders (run int not null check (run < 5))");
    const rolledBack = latch();
    const pool = new pg.Pool({
      connectionString: await startKeepingBack(url, rolledBack.opened),
      max: 1,
    }).on("error", () => {});
    onTestFinished(() => pool.end());
    const freed = latch();
    const ended = latch();
    const opener = run(
      async () => {
        const client = await pool.connect();
        try {
          await client.query("insert into orders values (9)");
        } finally {
          client.release();
          freed.open();
          await ended.opened;
        }
      },
      { classify: sql },
    );
    await freed.opened;
    const next = await run(
      async () => {
        const client = await pool.connect();
        try {
          await client.query("begin");
          await client.query("insert into orders values (9)");
        } catch (error) {
          const rollback = client.query("rollback");
          rolledBack.open();
          await rollback;
          throw error;
        } finally {
          client.release();
        }
      },
      { classify: sql },
    );
    ended.open();
    expect([await opener, next]).toEqual(
      Array.from({ length: 2 }, () => ({ state: "not-done", because: undefined })),
    );
  });
});

/** As data loaders do: the first key of a batch opens it, and all of them are sent together, in its context. */
function openLoader(send: (keys: readonly string[]) => Promise<void>) {
  let batch: { readonly keys: string[]; readonly sent: Promise<void> } | undefined;
  return {
    load(key: string): Promise<void> {
      if (batch === undefined) {
        const keys: string[] = [];
        const sent = sleep(10).then(() => {
          batch = undefined;
          return send(keys);
        });
        batch = { keys, sent };
      }
      batch.keys.push(key);
      return batch.sent;
    },
  };
}

describe("a data loader", () => {
  it("whose batch is sent in another context leaves a doubt", async () => {
    const server = createHttpServer((_, response) => void response.writeHead(404).end());
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${await portOf(server)}/charges`;
    const loader = openLoader(async (keys) => {
      const response = await fetch(url, { method: "POST", body: JSON.stringify(keys) });
      if (!response.ok) throw new Error("refused", { cause: response });
    });
    // Somebody else opens the batch, so that it is sent in his context.
    const other = loader.load("other").catch(() => {});
    const { state, because } = await run(async () => await loader.load("mine"), { classify: http });
    await other;
    expect({ state, because }).toEqual({ state: "in-doubt", because: undefined });
  });
});

describe("a doubt whose statement is written and not answered", () => {
  it("may still be under way until its connection is closed", async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => void sockets.push(socket.on("error", () => {})));
    const port = await portOf(server);
    onTestFinished(() => void server.close());
    const pooled = connect(port, "127.0.0.1").on("error", () => {});
    onTestFinished(() => void pooled.destroy());
    await once(pooled, "connect");
    const job = charging({});
    const handler = job.handler(async ({ effect }) => {
      await effect("act", async () => {
        pooled.write("INSERT INTO orders");
        throw new Error("slow");
      });
    });
    const service = createService(applicationOf(handler));
    await service.startWorker();
    const producer = await service.createProducer();
    const { url } = await service.startApi();
    const { id } = await producer.submit(job, null, { idempotencyKey: "k" });
    await untilState(producer, id, "failed");
    const mayStillRun = async () =>
      ((await get(`${url}/doubts`)).body.doubts as { mayStillRun: boolean }[])[0]?.mayStillRun;
    const resolve = () =>
      postTo(`${url}/jobs/${id}/effects/act/resolve`, { as: "not-done", evidence: "a test" });

    expect(await resolve()).toMatchObject({ status: 409, body: { code: "RUN_MAY_BE_PENDING" } });
    pooled.destroy();
    await until("it is over", async () => (await mayStillRun()) === false);
    expect(await resolve()).toMatchObject({ status: 200 });
  });
});

describe("a request that its library sends only once somebody waits for it, as superagent and Supabase do", () => {
  it("is the effect's: that it was lost counts, although another one was refused", async () => {
    let acts = 0;
    const lost = createHttpServer((request, response) => {
      acts += 1;
      request.resume().on("end", () => response.destroy());
    });
    const [to, refused] = [await portOf(lost), await closedPort()];
    const send = async () => {
      await fetch(`http://127.0.0.1:${to}/`, { method: "POST" }).catch(() => {});
      await fetch(`http://127.0.0.1:${refused}/`, { method: "POST" });
    };
    // biome-ignore lint/suspicious/noThenProperty: what such libraries return
    const waits: PromiseLike<unknown> = { then: (resolve, reject) => send().then(resolve, reject) };
    const job = charging({ classify: connection });
    const handler = job.handler(async ({ effect }) => await effect("act", () => waits as Promise<unknown>));
    const service = createService(applicationOf(handler));
    await service.startWorker();
    const producer = await service.createProducer();
    const { id } = await producer.submit(job, null, { idempotencyKey: "k" });
    await untilState(producer, id, "failed");
    expect(acts).toBe(1);
    const { doubts } = (await get(`${(await service.startApi()).url}/doubts`)).body;
    expect(doubts).toMatchObject([{ evidence: [{ ended: "UND_ERR_SOCKET" }, { ended: "ECONNREFUSED" }] }]);
  });
});

describe("a tunnel through a proxy", () => {
  it("is answered once it is there, and is no act of anybody's", async () => {
    const api = createHttpServer((_, response) => void response.writeHead(429).end());
    const apiPort = await portOf(api);
    const proxy = createHttpServer().on("connect", (_request, client, head) => {
      const upstream = connect(apiPort, "127.0.0.1", () => {
        client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
        upstream.write(head);
        upstream.pipe(client).pipe(upstream);
      });
      for (const socket of [client, upstream]) socket.on("error", () => {});
    });
    onTestFinished(() => {
      api.close().closeAllConnections();
      proxy.close().closeAllConnections();
    });
    const dispatcher = new ProxyAgent({
      uri: `http://127.0.0.1:${await portOf(proxy)}`,
      proxyTunnel: true,
    });
    onTestFinished(() => dispatcher.destroy());
    const order = async () => {
      const response = await undiciFetch(`http://127.0.0.1:${apiPort}/orders`, {
        method: "POST",
        dispatcher,
      });
      if (!response.ok) throw Object.assign(new Error("refused"), { status: response.status });
    };
    // Somebody outside of all effects opens it, and it stays open.
    await order().catch(() => {});
    expect(await run(order, { classify: http })).toEqual({ state: "not-done", because: undefined });
  });
});

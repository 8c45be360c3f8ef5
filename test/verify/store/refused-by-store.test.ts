import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { createProducer, type HoldfastError } from "holdfast";
import { startWorker } from "holdfast/worker";
import type { Redis } from "ioredis";
import { afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { application, echo } from "../../support/application.ts";
import { get } from "../../support/http.ts";
import { runProcess, withProcesses } from "../../support/processes.ts";
import { type RedisServer, startRedisServer } from "../../support/redis-server.ts";
import { createService, testEnvironment } from "../../support/service.ts";
import { until } from "../../support/until.ts";

let server: RedisServer;
let other: RedisServer;

beforeAll(async () => {
  [server, other] = await Promise.all([startRedisServer(), startRedisServer()]);
  return () => Promise.all([server.stop(), other.stop()]);
});
afterEach(() => server.restart());

/** Sends one command to the Redis under test. */
async function configure(...command: readonly [string, ...string[]]): Promise<void> {
  const store = createService(application, { REDIS_URL: server.url }).connect();
  await store.call(...command);
  store.disconnect();
}

const withUser = (user: string) => server.url.replace("//", `//${user}@`);

/** The output of a start, which must not wait for something that cannot happen. */
async function refusalOf(url: string) {
  const begun = performance.now();
  const error: unknown = await createProducer(application, testEnvironment({ REDIS_URL: url })).then(
    (producer) => producer.stop(),
    (thrown: unknown) => thrown,
  );
  expect(performance.now() - begun).toBeLessThan(4_500);
  expect(JSON.stringify(error) + String(error)).not.toMatch(/127\.0\.0\.1|secret|wrong-one/);
  return error;
}

const named = (code: string, message: RegExp) => ({ code, message: expect.stringMatching(message) });

describe("a Redis that rejects a process is reported at once, with the remedy", withProcesses, () => {
  it("because of a wrong password", async () => {
    await configure("CONFIG", "SET", "requirepass", "secret");
    const wrong = withUser(":wrong-one");

    expect(await refusalOf(wrong)).toMatchObject(
      named("STORE_REFUSED", /^Redis does not accept the user and password of REDIS_URL\. Remedy: /),
    );
    const { code, stderr } = await runProcess(
      ["worker"],
      testEnvironment({ REDIS_URL: wrong, SMTP_URL: "smtp://x" }),
    );
    expect(code).toBe(3);
    expect(stderr).toMatch(/^Redis does not accept the user and password of REDIS_URL\. Remedy: .+\.\n$/);
  });

  it("because of a missing password", async () => {
    await configure("CONFIG", "SET", "requirepass", "secret");

    expect(await refusalOf(server.url)).toMatchObject(
      named("STORE_REFUSED", /^Redis asks for a password, and REDIS_URL has none\. Remedy: /),
    );
  });

  it("because its user lacks a permission", async () => {
    await configure("ACL", "SETUSER", "limited", "on", ">secret", "~*", "&*", "+@all", "-info");

    expect(await refusalOf(withUser("limited:secret"))).toMatchObject(
      named("STORE_REFUSED", /^Redis does not allow this user what Holdfast needs\. Remedy: /),
    );
  });

  it("because it has no database of that number", async () => {
    expect(await refusalOf(`${server.url}/16`)).toMatchObject(
      named("STORE_REFUSED", /^Redis has no database of the number in REDIS_URL\. Remedy: /),
    );
  });

  it("because it is a read-only replica", async () => {
    await configure("REPLICAOF", "127.0.0.1", String(other.port));

    expect(await refusalOf(server.url)).toMatchObject(
      named("STORE_UNFIT", /^role: .*expects master, found a read-only replica; .* Remedy: /m),
    );
  });

  it("because it is not Redis", async () => {
    const web = createServer().listen(0, "127.0.0.1");
    await once(web, "listening");
    onTestFinished(() => void web.close());
    const { port } = web.address() as AddressInfo;

    expect(await refusalOf(`redis://127.0.0.1:${port}`)).toMatchObject(
      named("STORE_REFUSED", /^the server at REDIS_URL does not speak the protocol of Redis\. Remedy: /),
    );
  });

  it("because it is one node of a cluster, or is not the expected cluster", async () => {
    const node = await startRedisServer({ args: ["--cluster-enabled", "yes"] });
    onTestFinished(() => node.stop());

    expect(await refusalOf(node.url)).toMatchObject(
      named("STORE_UNFIT", /^cluster: .*expects one server, found a node of a Redis Cluster; .* Remedy: /m),
    );
    expect(await refusalOf(`${server.url},${other.url}`)).toMatchObject(
      named("STORE_REFUSED", /^REDIS_URL names several nodes, and this is no Redis Cluster\. Remedy: /),
    );
  });
});

describe("a Redis that begins to reject a running API", () => {
  it("is reported by its health check, and used again later", async () => {
    const { url } = await createService(application, { REDIS_URL: server.url }).startApi();
    const store = createService(application, { REDIS_URL: server.url }).connect();
    await store.config("SET", "requirepass", "secret");
    await store.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    store.disconnect();

    const { body } = await until("the API is not ready", async () => {
      const health = await get(`${url}/health/ready`);
      return /asks for a password/.test(String(health.body.reasons)) && health;
    });
    expect(body.reasons).toEqual([expect.stringMatching(/^Redis asks for a password/)]);

    await server.restart();
    await until("the API is ready", async () => (await get(`${url}/health/ready`)).status === 200);
  });
});

describe("a Redis that no longer lets a running producer select its database", () => {
  it("gets no job in another one", async () => {
    await configure("ACL", "SETUSER", "limited", "on", ">secret", "~*", "&*", "+@all");
    const url = `${withUser("limited:secret")}/5`;
    await using producer = await createProducer(application, testEnvironment({ REDIS_URL: url }));
    const store = createService(application, { REDIS_URL: server.url }).connect();
    const before = await store.dbsize();
    await store.call("ACL", "SETUSER", "limited", "-select");
    await store.call("CLIENT", "KILL", "USER", "limited");

    const outcome = await until("a submission after its connections came again", async () => {
      const code = await producer.submit(echo, { text: "x" }, { idempotencyKey: "k" }).then(
        () => "accepted",
        (error: HoldfastError) => error.code,
      );
      return (code !== "STORE_UNAVAILABLE" || (await refusedSelects(store)) >= 3) && code;
    });

    expect(outcome).toBe("STORE_UNAVAILABLE");
    expect(await store.dbsize()).toBe(before);
    store.disconnect();
  });
});

describe("a Redis that is loading its data", () => {
  it("makes a role wait", async () => {
    // Longer than a process waits for a Redis that is down: this many keys take 100 ms each to read back.
    const slow = await startRedisServer({
      args: ["--key-load-delay", "100000", "--loading-process-events-interval-bytes", "1024"],
    });
    onTestFinished(() => slow.stop());
    const env = testEnvironment({ REDIS_URL: slow.url });
    const store = createService(application, env).connect();
    for (let count = 0; count < 56; count += 1) await store.set(`key-${count}`, randomBytes(2_048));
    await store.bgrewriteaof();
    await until("they are on disk", async () =>
      /aof_rewrite_in_progress:0.*aof_rewrites:1/s.test(await store.info("persistence")),
    );
    store.disconnect();

    const restarted = slow.restart();
    await until("Redis listens", () => isReached(slow.port));
    const worker = await startWorker(application, env);

    await Promise.all([restarted, worker.stop()]);
  });
});

/** How often Redis has refused a `SELECT`. */
async function refusedSelects(store: Pick<Redis, "call">): Promise<number> {
  const log = String(await store.call("ACL", "LOG"));
  return Number(/count,(\d+),reason,command,context,toplevel,object,select/.exec(log)?.[1] ?? 0);
}

async function isReached(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

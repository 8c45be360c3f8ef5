import { createProducer } from "holdfast";
import { startApi } from "holdfast/server";
import { startWorker } from "holdfast/worker";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { application } from "../../support/application.ts";
import { get } from "../../support/http.ts";
import { runProcess, withProcesses } from "../../support/processes.ts";
import { type RedisServer, startRedisServer } from "../../support/redis-server.ts";
import { startReplyProxy } from "../../support/reply-proxy.ts";
import { run } from "../../support/run-command.ts";
import { createService, testEnvironment, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

let server: RedisServer;

beforeAll(async () => {
  server = await startRedisServer();
});
afterAll(() => server.stop());

const good = {
  appendonly: "yes",
  appendfsync: "always",
  "no-appendfsync-on-rewrite": "no",
  "maxmemory-policy": "noeviction",
};

/** Changes the running server's settings until the test ends. */
async function configure(settings: Readonly<Record<string, string>>) {
  const store = createService(application, { REDIS_URL: server.url }).connect();
  for (const [name, value] of Object.entries(settings)) await store.config("SET", name, value);
  // A log that was switched on again is written anew.
  await until("the log is complete", async () => (await store.info()).includes("aof_rewrite_in_progress:0"));
  store.disconnect();
}

afterEach(() => configure(good));

const environment = (variables: Variables = {}) => testEnvironment({ REDIS_URL: server.url, ...variables });

const flaws = [
  ["appendonly", "no", "yes"],
  ["appendfsync", "everysec", "always"],
  ["no-appendfsync-on-rewrite", "yes", "no"],
  ["maxmemory-policy", "allkeys-lru", "noeviction"],
] as const;

describe("a Redis that cannot give the promised durability", withProcesses, () => {
  it.each(flaws)(
    "because of %s %s is refused at the start, with the remedy",
    async (name, value, expected) => {
      await configure({ [name]: value });

      for (const start of [startApi, startWorker, createProducer]) {
        await expect(start(application, environment())).rejects.toMatchObject({
          code: "STORE_UNFIT",
          message: expect.stringMatching(
            new RegExp(
              `^${name}: HOLDFAST_DURABILITY=disk expects ${expected}, found ${value}; .+\\. Remedy: CONFIG SET ${name} ${expected}\\.$`,
            ),
          ),
        });
      }
    },
  );

  it("ends the API process with one line for each flaw and exit code 1", async () => {
    await configure({ appendonly: "no", appendfsync: "everysec", "maxmemory-policy": "allkeys-lru" });

    const { code, stdout, stderr } = await runProcess(["api"], environment());

    expect(code).toBe(1);
    expect(stdout).toBe("");
    expect(stderr.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/^maxmemory-policy: /),
      expect.stringMatching(/^appendonly: /),
      expect.stringMatching(/^appendfsync: /),
    ]);
  });

  it("because it has no replica is refused if replicas are promised", async () => {
    const env = environment({ HOLDFAST_DURABILITY: "replica:2" });

    await expect(startApi(application, env)).rejects.toMatchObject({
      code: "STORE_UNFIT",
      message: expect.stringMatching(/^replicas: HOLDFAST_DURABILITY=replica:2 expects 2 online, found 0; /),
    });
  });

  it("is good enough if only memory is promised, unless it evicts", async () => {
    const env = { HOLDFAST_DURABILITY: "memory" };
    await configure({ appendonly: "no" });
    await createService(application, environment(env)).startApi();
    await configure({ "maxmemory-policy": "allkeys-lru" });

    await expect(startApi(application, environment(env))).rejects.toMatchObject({ code: "STORE_UNFIT" });
  });

  it("because its settings cannot be read is refused, with the remedy", async () => {
    const store = createService(application, { REDIS_URL: server.url }).connect();
    await store.call("ACL", "SETUSER", "limited", "on", ">secret", "~*", "&*", "+@all", "-config");
    const url = server.url.replace("//", "//limited:secret@");

    await expect(startApi(application, environment({ REDIS_URL: url }))).rejects.toMatchObject({
      code: "STORE_UNFIT",
      message: expect.stringContaining("found (Redis does not say)"),
    });
  });

  it("because its settings cannot be read starts if its operator states them, and says so", async () => {
    const store = createService(application, { REDIS_URL: server.url }).connect();
    await store.call("ACL", "SETUSER", "hosted", "on", ">secret", "~*", "&*", "+@all", "-config");
    const REDIS_URL = server.url.replace("//", "//hosted:secret@");
    const stated = Object.entries(good).map((setting) => setting.join("="));

    const env = environment({ REDIS_URL, HOLDFAST_STORE_TRUST: stated.join(",") });
    await createService(application, env).startApi();
    const { stdout } = await run(["doctor", "--json"], env);
    const partly = environment({ REDIS_URL, HOLDFAST_STORE_TRUST: stated.slice(1).join(",") });
    const wrongly = environment({ REDIS_URL, HOLDFAST_STORE_TRUST: "appendonly=no" });

    expect(stdout).toContain("always (stated, not seen)");
    await expect(startApi(application, partly)).rejects.toMatchObject({
      message: expect.stringMatching(/^appendonly: .*state it: HOLDFAST_STORE_TRUST=appendonly=yes\.$/),
    });
    await expect(startApi(application, wrongly)).rejects.toMatchObject({
      message: expect.stringContaining("appendonly: HOLDFAST_DURABILITY=disk expects yes, found no"),
    });
  });

  it("whose settings can be read is judged by them, whatever is stated", async () => {
    await configure({ appendonly: "no" });
    const env = environment({ HOLDFAST_STORE_TRUST: "appendonly=yes" });

    await expect(startApi(application, env)).rejects.toMatchObject({ code: "STORE_UNFIT" });
  });

  it.each(["appendonly", "appendonly=yes;x", "databases=16", "appendonly=yes,"])(
    "is not described by HOLDFAST_STORE_TRUST=%s",
    async (text) => {
      await expect(startApi(application, environment({ HOLDFAST_STORE_TRUST: text }))).rejects.toMatchObject({
        code: "CONFIG_INVALID",
        message: expect.stringContaining("HOLDFAST_STORE_TRUST: expected settings as NAME=VALUE"),
      });
    },
  );

  it("only later makes the API not ready, with the reason", async () => {
    const { url } = await createService(application, environment()).startApi();

    await configure({ appendfsync: "everysec" });

    expect(await get(`${url}/health/ready`)).toMatchObject({
      status: 503,
      body: { status: "not ready", reasons: [expect.stringMatching(/^appendfsync: .* Remedy: /)] },
    });
  });
});

describe("a Redis that falls silent while it is checked", () => {
  it("is out of reach, and trying again may help", async () => {
    const proxy = await startReplyProxy(server.url);
    proxy.holdBack((sent) => /config/i.test(sent));

    await expect(createProducer(application, environment({ REDIS_URL: proxy.url }))).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      retryable: true,
    });
  });
});

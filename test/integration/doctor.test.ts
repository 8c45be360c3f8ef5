import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Finding } from "../../src/operate/finding.ts";
import { application } from "../support/application.ts";
import { get } from "../support/http.ts";
import { run, withProcesses } from "../support/processes.ts";
import { type RedisServer, startRedisServer } from "../support/redis-server.ts";
import { createService, testEnvironment, untilState, type Variables } from "../support/service.ts";

let server: RedisServer;

beforeAll(async () => {
  server = await startRedisServer();
  return () => server.stop();
});
afterEach(async () => {
  await server.restart();
});

const environment = (variables: Variables = {}) => testEnvironment({ REDIS_URL: server.url, ...variables });

async function configure(name: string, value: string): Promise<void> {
  const store = createService(application, { REDIS_URL: server.url }).connect();
  await store.config("SET", name, value);
  store.disconnect();
}

async function doctor(env: Variables): Promise<{ code: number | null; findings: Finding[] }> {
  const { code, stdout } = await run(["doctor", "--json"], env);
  const findings = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Finding);
  return { code, findings };
}

describe("holdfast doctor", withProcesses, () => {
  it("finds nothing bad in a store that is set up well, and says what it looked at", async () => {
    const { code, stdout } = await run(["doctor"], environment());
    expect(code).toBe(0);
    for (const name of [
      "version",
      "appendfsync",
      "maxmemory-policy",
      "memory",
      "latency",
      "clock",
      "stop grace",
    ])
      expect(stdout).toMatch(new RegExp(`^ok {4}${name} `, "m"));
    expect(stdout).toMatch(/\d+ well, 0 to look at, 0 bad\n$/);
  });

  it.each([
    ["maxmemory-policy", "allkeys-lru", /deletes jobs and keys/],
    ["appendonly", "no", /loses jobs that were acknowledged/],
    ["appendfsync", "everysec", /last second of acknowledged jobs/],
  ])("says what is lost with %s %s, and how to mend it", async (name, value, reason) => {
    await configure(name, value);
    const { code, findings } = await doctor(environment());
    expect(code).toBe(1);
    expect(findings.filter(({ verdict }) => verdict === "bad")).toMatchObject([
      {
        name,
        found: value,
        reason: expect.stringMatching(reason),
        remedy: expect.stringContaining("CONFIG SET"),
      },
    ]);
  });

  it("sees that the store is nearly full", async () => {
    await configure("maxmemory", "500kb");
    const { findings } = await doctor(environment());
    expect(findings).toContainEqual(expect.objectContaining({ name: "memory", verdict: "bad" }));
  });

  it("sees jobs that wait with no worker there, and doubts that wait for a person", async () => {
    const env = environment();
    const service = createService(application, env);
    const producer = await service.createProducer();
    const { echo } = await import("../support/application.ts");
    await producer.submit(echo, 1, { idempotencyKey: "nobody-there" });
    const alone = await doctor(env);
    expect(alone.code).toBe(1);
    expect(alone.findings).toContainEqual(
      expect.objectContaining({
        name: "workers of default",
        verdict: "bad",
        found: "0 alive, 1 jobs waiting",
      }),
    );

    await service.startWorker();
    const { id } = await producer.submit(echo, 2, { idempotencyKey: "somebody-there" });
    await untilState(producer, id, "completed");
    const together = await doctor(env);
    expect(together.findings).toContainEqual(
      expect.objectContaining({
        name: "workers of default",
        verdict: "ok",
        found: "1 alive, 0 jobs waiting",
      }),
    );
  });

  it("ends with 3 when the store cannot be reached", async () => {
    const { code, stderr } = await run(["doctor"], environment({ REDIS_URL: "redis://127.0.0.1:1" }));
    expect(code).toBe(3);
    expect(stderr).toContain("store");
  });
});

describe("GET /health/ready", () => {
  it("tells each thing it looked at with its verdict, and stays public", async () => {
    const { url } = await createService(application, environment()).startApi();
    const { status, body } = await get(`${url}/health/ready`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: "ready", reasons: [] });
    expect((body.checks as Finding[]).map(({ name }) => name)).toEqual(
      expect.arrayContaining(["version", "appendfsync", "memory", "latency", "clock"]),
    );
  });
});

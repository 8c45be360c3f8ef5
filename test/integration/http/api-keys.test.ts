import { createHash } from "node:crypto";
import { createOperator } from "holdfast";
import { startApi } from "holdfast/server";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { INTERNAL_QUEUE } from "../../../src/core/job/internal-queue.ts";
import { onRecord } from "../../../src/desk/audit/audit-log.ts";
import type { Logger } from "../../../src/platform/lib/logger.ts";
import { application } from "../../support/application.ts";
import { call, get } from "../../support/http.ts";
import { plainStores } from "../../support/queue-stores.ts";
import { createService, type testEnvironment } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const digest = (token: string) => createHash("sha256").update(token).digest("hex");

const service = createService(
  application,
  { HOLDFAST_API_KEYS: `writer:submit:${digest("w-token")},all:submit+read+operate:${digest("a-token")}` },
  afterAll,
);
let root: string;
beforeAll(async () => {
  root = (await service.startApi()).url;
});

const submission = { type: "echo", payload: 1, idempotencyKey: "k" };
const submit = (headers: Readonly<Record<string, string>>) =>
  call(`${root}/jobs`, "POST", submission, headers);
const read = (headers: Readonly<Record<string, string>>) =>
  call(`${root}/jobs/default_019ab3c2-7c1e-7d3a-9a54-0123456789ab/status`, "GET", undefined, headers);

describe("an API with keys", () => {
  it.each<Readonly<Record<string, string>>>([
    {},
    { authorization: "" },
    { authorization: "Bearer" },
    { authorization: "Bearer wrong" },
    { authorization: `Bearer ${digest("w-token")}` },
    { authorization: "Basic w-token" },
    { authorization: "w-token" },
    { authorization: `Bearer ${"w".repeat(8_000)}` },
  ])("answers 401 without a valid one: %j", async (headers) => {
    for (const refused of [await submit(headers), await read(headers)]) {
      expect(refused).toMatchObject({ status: 401, body: { code: "UNAUTHENTICATED" } });
      expect(refused.headers.get("www-authenticate")).toBe("Bearer");
    }
  });

  it("lets a key do what its scopes allow, and answers 403 to the rest", async () => {
    const writer = { authorization: "Bearer w-token" };

    expect(await submit(writer)).toMatchObject({ status: 202 });
    expect(await read(writer)).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    expect(await read({ authorization: "bearer a-token" })).toMatchObject({ status: 404 });
  });

  it("shows its health and its reference to everybody", async () => {
    for (const path of ["/health/live", "/health/ready", "/openapi.json"]) {
      expect(await get(root + path)).toMatchObject({ status: 200 });
    }
  });

  it("sends its reference once to a client that keeps it", async () => {
    const url = `${root}/openapi.json`;
    const tag = (await get(url)).headers.get("etag") ?? "";

    for (const known of [tag, `"other", W/${tag}`, "*"]) {
      const { status, headers } = await call(url, "GET", undefined, { "if-none-match": known });
      expect([status, headers.get("etag")]).toEqual([304, tag]);
    }
    expect((await call(url, "GET", undefined, { "if-none-match": '"other"' })).status).toBe(200);
  });
});

describe("what is on record", () => {
  /** An API and the audit entries that it logs. */
  async function loggingApi(env: ReturnType<typeof testEnvironment>, keys: string) {
    const entries: Record<string, unknown>[] = [];
    const logger: Logger = {
      info: (...[fields, message]: unknown[]) => {
        if (message === "audit") entries.push(fields as Record<string, unknown>);
      },
      debug: () => {},
      warn: () => {},
      error: () => {},
      fatal: () => {},
      child: () => logger,
    };
    const api = await startApi(application, { ...env, HOLDFAST_API_KEYS: keys }, { logger });
    onTestFinished(() => api.stop());
    return { entries, api };
  }

  async function openRecord() {
    const { env, connect } = createService(application);
    const operator = await createOperator(application, env);
    onTestFinished(() => operator.stop());
    return { env, operator, store: plainStores(connect(), env.HOLDFAST_PREFIX) };
  }

  it("has each change of the API keys once, by name, and nothing to sign in with", async () => {
    const { env, operator, store } = await openRecord();
    const sets = [
      `shop:submit:${digest("1")},ops:read:${digest("2")}`,
      // In another order.
      `ops:read:${digest("2")},shop:submit:${digest("1")}`,
      `shop:submit:${digest("1")},shop:submit:${digest("3")},ops:read+operate:${digest("2")}`,
      `ops:read+operate:${digest("2")}`,
      "",
    ];
    for (const keys of sets)
      await Promise.all([loggingApi(env, keys), loggingApi(env, keys), loggingApi(env, keys)]);

    const entries = await operator.auditTrail(10);
    expect(entries.map(({ as, evidence }) => [as, evidence]).reverse()).toEqual([
      ["keys-changed", "added ops (read); added shop (submit)"],
      ["keys-changed", "changed ops: its scopes, from read to operate+read; changed shop: its key"],
      ["keys-changed", "removed shop (submit)"],
      ["keys-changed", "removed ops (operate+read)"],
    ]);
    expect(entries[0]?.by).toMatch(/^.+@.+$/);
    const { client, keys } = store.of(INTERNAL_QUEUE);
    const stored = JSON.stringify([
      await client.get(keys.own("api-keys")),
      await client.xrange(keys.audit, "-", "+"),
    ]);
    for (const key of ["1", "2", "3"]) expect(stored).not.toContain(digest(key).slice(0, 8));
  });

  it("is logged by one of the APIs, whoever did it", async () => {
    const { env, operator } = await openRecord();
    const keys = `ops:read:${digest("2")}`;
    const apis = await Promise.all([loggingApi(env, keys), loggingApi(env, keys)]);
    await operator.queues.pause("default", { reason: "a look", by: "ann@build-1" });
    await operator.queues.resume("default");
    const logged = () => apis.flatMap(({ entries }) => entries);
    await until("all are logged", () => logged().length >= 3);
    for (const { api } of apis) await api.stop();
    expect(logged()).toHaveLength(3);
    expect(logged()).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ as: "keys-changed", evidence: "added ops (read)" }),
        {
          at: expect.any(String),
          as: "paused",
          by: "ann@build-1",
          evidence: "a look",
          queue: "default",
        },
        expect.objectContaining({ as: "resumed", by: "createOperator()" }),
      ]),
    );
  });

  it("is there before the act, and says in one line if that failed", async () => {
    const { operator, store } = await openRecord();
    const act = async () => {
      expect(await operator.auditTrail(9)).toMatchObject([{ as: "paused" }]);
      throw new Error("gone");
    };
    const entry = { as: "paused", evidence: "a look", by: "ann@build-1" };
    await expect(onRecord(store.of("default"), entry, act)).rejects.toThrow("gone");
    const trail = await operator.auditTrail(9);
    expect(trail).toMatchObject([{ as: "paused-failed", evidence: "a look", by: "ann@build-1" }]);
    expect(trail).toHaveLength(1);
  });
});

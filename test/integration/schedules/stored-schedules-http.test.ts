import { defineConfig, defineJob, startScheduler } from "holdfast";
import { createClient } from "holdfast/client";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { call, get } from "../../support/http.ts";
import { bearer, keyEntry } from "../../support/keys.ts";
import { withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { testEnvironment } from "../../support/service.ts";
import { application, everySecond, invoice, report, SECOND, stage } from "../../support/stored-schedules.ts";
import { until } from "../../support/until.ts";

const daily = { cron: "0 7 * * *", timeZone: "Europe/Berlin", type: "report", payload: { tenant: "acme" } };
const KEY = `2026a:${Buffer.alloc(32, 7).toString("base64")}`;

async function served() {
  const at = stage();
  const { url } = await at.startApi();
  const put = (name: string, body: unknown) => call(`${url}/schedules/${name}`, "PUT", body);
  const remove = (name: string) => call(`${url}/schedules/${name}`, "DELETE");
  return { ...at, url, put, remove };
}

describe("PUT and DELETE /schedules/:name", () => {
  it("put, change and delete a schedule, on record", async () => {
    const { url, put, remove } = await served();
    expect(await put("acme-daily", daily)).toMatchObject({
      status: 200,
      body: { name: "acme-daily", when: "0 7 * * * in Europe/Berlin", stored: { version: 1 }, paused: null },
    });
    expect(await put("acme-daily", { ...daily, overlap: "skip" })).toMatchObject({
      body: { overlap: "skip", stored: { version: 2 } },
    });
    expect(await get(`${url}/schedules?prefix=acme-`)).toMatchObject({
      body: { schedules: [{ name: "acme-daily" }], nextCursor: null },
    });
    expect(await get(`${url}/schedules/acme-daily/ticks`)).toMatchObject({ body: { ticks: [] } });
    expect(await remove("acme-daily")).toMatchObject({
      status: 200,
      body: { name: "acme-daily", outcome: "deleted" },
    });
    expect(await remove("acme-daily")).toMatchObject({ status: 404, body: { code: "SCHEDULE_NOT_FOUND" } });
    const { body } = await get(`${url}/audit`);
    const acts = (body.entries as { as: string; schedule: string }[]).map(({ as, schedule }) => [
      as,
      schedule,
    ]);
    expect(acts).toEqual([
      ["schedule-deleted", "acme-daily"],
      ["schedule-put", "acme-daily"],
      ["schedule-put", "acme-daily"],
    ]);
  });

  it("are followed by reading what was put", async () => {
    const { url, put, remove } = await served();
    const client = createClient({ url });
    const bounded = { ...daily, overlap: "skip", startsAt: "2026-12-01T00:00:00Z" } as const;
    await put("acme-daily", bounded);
    expect(await client.scheduleDefinition("acme-daily")).toEqual(bounded);

    await remove("acme-daily");
    expect(await get(`${url}/schedules/acme-daily/definition`)).toMatchObject({
      status: 404,
      body: { code: "SCHEDULE_NOT_FOUND" },
    });
    expect(await get(`${url}/schedules/declared/definition`)).toMatchObject({
      status: 409,
      body: { code: "SCHEDULE_DECLARED" },
    });
  });

  it("keep a payload's secrets from who reads what was put, and refuse what was read in their place", async () => {
    const secret = defineJob({
      type: "report",
      payload: z.object({ tenant: z.string(), users: z.array(z.object({ token: z.string() })) }),
      result: z.unknown(),
      retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
      timeoutMs: 60_000,
      redact: { payload: ["/tenant", "/users/*/token"] },
    });
    const at = stage(defineConfig({ jobs: [secret], handlers: async () => [] }));
    const { url } = await at.startApi();
    const put = (payload: object) => call(`${url}/schedules/acme-daily`, "PUT", { ...daily, payload });
    const tenant = "acme";
    expect(await put({ tenant, users: [{ token: "s3cret" }] })).toMatchObject({ status: 200 });
    const stored = await at.stored.read("acme-daily");

    const read = await createClient({ url }).scheduleDefinition("acme-daily");
    expect(read).toEqual({
      ...daily,
      payload: { tenant: "[redacted]", users: [{ token: "[redacted]" }] },
    });
    for (const [payload, pointer] of [
      [read.payload, "/payload/tenant"],
      [{ tenant, users: [{ token: "s3cret" }, { token: "[redacted]" }] }, "/payload/users"],
    ] as const) {
      expect(await put(payload as object)).toMatchObject({
        status: 400,
        body: {
          code: "INVALID_PAYLOAD",
          errors: [{ pointer, message: 'expected the secret, got "[redacted]", which stands for it' }],
        },
      });
    }
    expect(await at.stored.read("acme-daily")).toEqual(stored);
  });

  it("refuse a name that the application declares, and nothing changes", async () => {
    const { put, remove, url } = await served();
    expect(await put("declared", daily)).toMatchObject({ status: 409, body: { code: "SCHEDULE_DECLARED" } });
    expect(await remove("declared")).toMatchObject({ status: 409, body: { code: "SCHEDULE_DECLARED" } });
    expect(await get(`${url}/schedules`)).toMatchObject({
      body: { schedules: [{ name: "declared", when: "0 3 * * * in UTC", stored: null }] },
    });
  });

  it.each([
    ["five fields", { ...daily, cron: "0 0 7 * * *" }, "INVALID_REQUEST", "/cron"],
    ["fields and not a date", { ...daily, cron: "2099-11-29T05:47:44" }, "INVALID_REQUEST", "/cron"],
    ["fields within their bounds", { ...daily, cron: "61 * * * *" }, "INVALID_REQUEST", "/cron"],
    ["a date that exists", { ...daily, cron: "0 0 30 2 *" }, "INVALID_REQUEST", "/cron"],
    ["a known zone", { ...daily, timeZone: "Europe/Atlantis" }, "INVALID_REQUEST", "/timeZone"],
    ["cron with its zone", { ...daily, timeZone: undefined }, "INVALID_REQUEST", ""],
    ["cron or a period", { ...daily, everyMs: SECOND }, "INVALID_REQUEST", ""],
    ["either of them", { type: "report", payload: { tenant: "acme" } }, "INVALID_REQUEST", ""],
    ["a period of a second", { ...everySecond, everyMs: 999 }, "INVALID_REQUEST", "/everyMs"],
    ["a known type", { ...daily, type: "other" }, "UNKNOWN_JOB_TYPE", "/type"],
    ["a type with a name", { ...daily, type: "" }, "UNKNOWN_JOB_TYPE", "/type"],
    ["a payload of the type", { ...daily, payload: { tenant: 1 } }, "INVALID_PAYLOAD", "/payload/tenant"],
    ["a payload", { ...daily, payload: undefined }, "INVALID_PAYLOAD", "/payload"],
    [
      "bounds in order",
      { ...daily, startsAt: "2026-12-02T00:00:00Z", endsAt: "2026-12-01T00:00:00Z" },
      "INVALID_REQUEST",
      "/endsAt",
    ],
    ["an instant", { ...daily, startsAt: "tomorrow" }, "INVALID_REQUEST", "/startsAt"],
    ["one of our time", { ...everySecond, startsAt: "9999-12-31T23:59:59Z" }, "INVALID_REQUEST", "/startsAt"],
    [
      "at most 1,000 ticks",
      { ...daily, catchUp: { mode: "all", max: 1_001 } },
      "INVALID_REQUEST",
      "/catchUp/max",
    ],
    [
      "a window within the retention",
      { ...daily, catchUp: { mode: "all", windowMs: 30 * 86_400_000 } },
      "INVALID_REQUEST",
      "/catchUp/windowMs",
    ],
    ["a known member", { ...daily, jitterMs: 1 }, "INVALID_REQUEST", "/jitterMs"],
  ])("expect %s", async (_what, body, code, pointer) => {
    const { put, url } = await served();
    const answer = await put("acme", body);
    expect(answer).toMatchObject({ status: 400, body: { code } });
    const errors = answer.body.errors as { pointer: string }[];
    expect(errors.map((error) => error.pointer)).toContain(pointer);
    expect(await get(`${url}/schedules?prefix=acme`)).toMatchObject({ body: { schedules: [] } });
  });

  it("refuse a name that no schedule can have", async () => {
    const { put } = await served();
    expect(await put("Acme", daily)).toMatchObject({ status: 400, body: { errors: [{ pointer: "/name" }] } });
  });

  it("need the scope operate", async () => {
    const at = stage(application, { HOLDFAST_API_KEYS: keyEntry("reader", "read", "reader-key") });
    const { url } = await at.startApi();
    const answer = await call(`${url}/schedules/acme`, "PUT", daily, bearer("reader-key"));
    expect(answer).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
  });
});

describe("GET /schedules", () => {
  it("lists by prefix, page by page: the declared ones first, then by name", async () => {
    const { url } = await served();
    const client = createClient({ url });
    const names = ["acme-c", "acme-a", "acme", "beta-a", "acme-b", "acmeb"];
    for (const name of names) await client.putSchedule(name, daily);
    const first = await client.schedules({ limit: 4 });
    expect(first.schedules.map(({ name }) => name)).toEqual([
      "declared",
      "acme",
      "acme-a",
      "acme-b",
      "acme-c",
    ]);
    const rest = await client.schedules({ limit: 4, cursor: first.nextCursor ?? "" });
    expect(rest.schedules.map(({ name }) => name)).toEqual(["acmeb", "beta-a"]);
    expect(rest.nextCursor).toBeNull();
    const ofTenant = await client.schedules({ prefix: "acme-", limit: 2, next: 3 });
    expect(ofTenant.schedules.map(({ name, next }) => [name, next.length])).toEqual([
      ["acme-a", 3],
      ["acme-b", 3],
    ]);
    const more = await client.schedules({ prefix: "acme-", limit: 2, cursor: ofTenant.nextCursor ?? "" });
    expect(more).toMatchObject({ schedules: [{ name: "acme-c" }], nextCursor: null });
  });
});

describe("a schedule that this process cannot read, or runs otherwise", () => {
  it("is encrypted, and does not hide the others from a process without its key", async () => {
    const encrypted = stage(application, { HOLDFAST_ENCRYPTION_KEYS: KEY });
    const writer = await encrypted.createOperator();
    await writer.schedules.put("secret", { ...daily, payload: { tenant: "acme-secret" } });
    const redis = encrypted.connect();
    const hash = await redis.hgetall(`${encrypted.env.HOLDFAST_PREFIX}:{stored_schedules}:of:secret`);
    expect(JSON.stringify(hash)).not.toContain("acme-secret");
    expect(JSON.stringify(hash)).not.toContain("0 7 * * *");
    const { schedules } = await writer.schedules.list();
    expect(schedules[1]).toMatchObject({ name: "secret", when: "0 7 * * * in Europe/Berlin" });

    const { HOLDFAST_PREFIX } = encrypted.env;
    const without = await stage(application, { HOLDFAST_PREFIX }).createOperator();
    await without.schedules.put("plain", daily);
    expect((await without.schedules.list()).schedules).toMatchObject([
      { name: "declared" },
      { name: "plain", when: "0 7 * * * in Europe/Berlin" },
      { name: "secret", when: expect.stringMatching(/^\[.*key/), next: [] },
    ]);
  });

  it("gives way to one that the application declares by now", async () => {
    const at = stage();
    const older = defineConfig({ jobs: [report, invoice], handlers: async () => [] });
    const operator = await stageOf(at.env.HOLDFAST_PREFIX, older);
    await operator.schedules.put("declared", everySecond);
    await operator.schedules.put("other", everySecond);
    const scheduler = await startScheduler(application, at.env);
    onTestFinished(() => scheduler.stop());
    await at.untilTicked("other", 2);
    expect(await at.jobsOf("declared")).toEqual([]);
    const newer = await at.createOperator();
    const { schedules } = await newer.schedules.list();
    expect(schedules.map(({ name, stored }) => [name, stored === null])).toEqual([
      ["declared", true],
      ["other", false],
    ]);
    await newer.schedules.delete("declared");
  });
});

async function stageOf(prefix: string, older: typeof application) {
  return await stage(older, { HOLDFAST_PREFIX: prefix }).createOperator();
}

describe("metrics and doctor", () => {
  it("count all stored schedules as one series, and say which are overdue from the index alone", async () => {
    const at = stage(application, { HOLDFAST_METRICS_PORT: "0" });
    const operator = await at.createOperator();
    await operator.schedules.put("acme", everySecond);
    await operator.schedules.put("beta", daily);
    await at.connect().zadd(`${at.env.HOLDFAST_PREFIX}:{stored_schedules}:due`, Date.now() - 120_000, "acme");
    const findings = await operator.doctor();
    expect(findings).toContainEqual(
      expect.objectContaining({
        name: "stored schedules",
        found: "1 overdue for a minute, acme the longest",
      }),
    );
    const api = await at.startApi();
    const scraped = async (url: string) => await (await fetch(url)).text();
    expect(await scraped(`${api.url}/metrics`)).toMatch(/^holdfast_stored_schedules_overdue 1$/m);

    const scheduler = await startScheduler(application, at.env);
    onTestFinished(() => scheduler.stop());
    await at.untilTicked("acme");
    const text = await until("it is no longer overdue", async () => {
      const found = await scraped(scheduler.metricsUrl ?? "");
      return /^holdfast_stored_schedules_overdue 0$/m.test(found) && found;
    });
    expect(text).toMatch(/holdfast_schedule_ticks_total\{schedule="\(stored\)",outcome="enqueued"\} [1-9]/);
    expect(text).not.toContain('schedule="acme"');
  });
});

describe("holdfast schedules put and delete", withProcesses, () => {
  const env = { ...testEnvironment(), HOLDFAST_CONFIG: "examples/every-second/holdfast.config.ts" };
  const schedules = (...args: string[]) => run(["schedules", ...args], env);
  const payload = JSON.stringify({ at: "2026-01-01T00:00:00Z" });

  it("put, list by prefix and delete", async () => {
    const put = await schedules(
      ...["put", "acme-nightly", "--type", "beat", "--payload", payload, "--cron", "0 3 * * *"],
      ...["--time-zone", "Asia/Tokyo", "--catch-up", "latest", "--overlap", "skip", "--json"],
    );
    expect(put.stderr).toBe("");
    expect(JSON.parse(put.stdout)).toMatchObject({
      when: "0 3 * * * in Asia/Tokyo",
      catchUp: "latest",
      overlap: "skip",
      stored: { version: 1 },
    });
    const more = ["put", "acme-often", "--type", "beat", "--payload", payload, "--every-ms", "60000"];
    expect(await schedules(...more)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("every 1 min"),
    });
    const listed = await schedules("list", "--prefix", "acme-", "--limit", "1");
    expect(listed.stdout).toContain("acme-nightly");
    expect(listed.stdout).toContain("there are more: --cursor acme-nightly");
    const first = await schedules("list", "--prefix", "acme-", "--limit", "1", "--json");
    expect(JSON.parse(first.stdout)).toMatchObject({ name: "acme-nightly" });
    expect(first.stderr).toBe("there are more: --cursor acme-nightly\n");
    const rest = await schedules("list", "--prefix", "acme-", "--cursor", "acme-nightly", "--json");
    expect(rest.stderr).toBe("");
    expect(JSON.parse(rest.stdout)).toMatchObject({ name: "acme-often" });
    expect(await schedules("delete", "acme-often")).toMatchObject({
      code: 0,
      stdout: "deleted acme-often\n",
    });
    expect(await schedules("delete", "acme-often")).toMatchObject({ code: 2 });
  });

  it.each([
    ["a declared name", ["every-second", "--every-ms", "1000"], 1, /declares the schedule/],
    ["a number", ["acme", "--every-ms", "often"], 2, /--every-ms: expected a number/],
    ["a mode", ["acme", "--every-ms", "1000", "--catch-up", ""], 1, /mode/],
    ["a window", ["acme", "--every-ms", "1000", "--catch-up-window-ms", ""], 2, /expected a number/],
    ["a time for each option", ["acme", "--every-ms", ""], 2, /--every-ms: expected a number/],
    ["a time", ["acme"], 1, /expected cron and timeZone, or everyMs/],
    ["a policy", ["acme", "--every-ms", "1000", "--overlap", "never"], 1, /overlap/],
  ])("refuse %s", async (_what, args, code, message) => {
    const refused = await schedules("put", ...args, "--type", "beat", "--payload", payload);
    expect(refused.code).toBe(code);
    expect(refused.stderr).toMatch(message);
  });
});

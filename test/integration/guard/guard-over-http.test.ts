import { randomUUID } from "node:crypto";
import { createOperator, defineConfig } from "holdfast";
import { createClient } from "holdfast/client";
import { createGuard, defineEffect, type Guard } from "holdfast/guard";
import { startApi } from "holdfast/server";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { call } from "../../support/http.ts";
import { bearer, keyEntry } from "../../support/keys.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { testEnvironment, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const charge = defineEffect({ name: "charge", timeoutMs: 5_000, inDoubt: "hold" });
const application = defineConfig({ jobs: [] });

const keys = `${keyEntry("shop", "act+read+operate", "key")},${keyEntry("ops", "operate", "o")}`;
const env = testEnvironment({ HOLDFAST_API_KEYS: keys });

async function startService(variables: Variables, whenOver: (stop: () => Promise<void>) => void) {
  const api = await startApi(application, { ...env, ...variables });
  whenOver(() => api.stop());
  return api.url;
}

let urls: [string, string];
let guard: Guard;
beforeAll(async () => {
  urls = await Promise.all([startService({}, afterAll), startService({}, afterAll)]);
  guard = await createGuard({ effects: [charge], env });
});
afterAll(() => guard.stop());

/** What a program in another language does. */
function programAt(url: string, key: string = randomUUID()) {
  const send = (method: string, path: string, body?: object) =>
    call(`${url}${path}`, method, body, bearer("key"));
  return {
    url,
    key,
    read: (path: string) => send("GET", path),
    doubts: async () => {
      const { doubts } = (await send("GET", "/doubts")).body;
      return (doubts as { idempotencyKey: string }[]).filter(({ idempotencyKey }) => idempotencyKey === key);
    },
    reserve: (more: object = {}) =>
      send("POST", "/effects/charge/reserve", { key, timeoutMs: 5_000, ...more }),
    report: (what: "commit" | "release" | "doubt", run: object) =>
      send("POST", `/effects/charge/${what}`, { key, ...run }),
    resolve: (id: string, body: object) =>
      send("POST", `/jobs/${id}/effects/charge/resolve`, { evidence: "looked", ...body }),
  };
}

async function begin(program: ReturnType<typeof programAt>, more: object = {}) {
  const { status, body } = await program.reserve(more);
  expect(status).toBe(201);
  expect(body).toMatchObject({ state: "reserved", deadline: expect.any(String) });
  return { id: body.id, effectKey: body.effectKey, run: { fence: Number(body.fence) } };
}

describe("an effect that a program runs over HTTP", () => {
  it("is done once, for every caller over HTTP and every guard", async () => {
    const service = programAt(urls[0]);
    const { id, run, effectKey } = await begin(service, { content: { cents: 5 } });
    const done = { status: 200, body: { state: "done", isResultKept: true } };
    expect(await service.report("commit", { ...run, result: { id: "ch_1" } })).toMatchObject(done);
    expect(await service.report("commit", { ...run, result: { id: "ch_1" } })).toMatchObject(done);

    expect(await service.reserve({ content: { cents: 5 } })).toMatchObject({
      status: 200,
      body: { state: "done", id, effectKey, result: { id: "ch_1" } },
    });
    const never = vi.fn();
    const same = { key: service.key, content: { cents: 5 } };
    expect(await guard.once(charge, same, never)).toEqual({ id: "ch_1" });
    expect(never).not.toHaveBeenCalled();
    expect(await service.reserve({ content: { cents: 6 } })).toMatchObject({
      status: 422,
      body: { code: "IDEMPOTENCY_KEY_REUSED" },
    });
  });

  it("is busy for others while it runs, and the same for whoever sends its request again", async () => {
    const service = programAt(urls[0]);
    const reservationId = randomUUID();
    const first = await service.reserve({ reservationId });
    expect(first).toMatchObject({ status: 201, body: { state: "reserved" } });

    for (const more of [{}, { reservationId: randomUUID() }]) {
      const busy = await service.reserve(more);
      expect(busy).toMatchObject({ status: 409, body: { code: "EFFECT_BUSY" } });
      expect(Number(busy.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    expect(await service.reserve({ reservationId })).toMatchObject({ status: 201, body: first.body });
    await expect(guard.once(charge, { key: service.key }, vi.fn())).rejects.toMatchObject({
      code: "EFFECT_BUSY",
    });
  });

  it("is reported through any API, by the run that has its fence alone", async () => {
    const service = programAt(urls[0]);
    const other = programAt(urls[1], service.key);
    const first = await begin(service);
    const lost = { status: 409, body: { code: "RESERVATION_LOST" } };

    const { fence } = first.run;
    for (const wrong of [fence - 1, fence + 1])
      expect(await other.report("commit", { fence: wrong })).toMatchObject(lost);
    expect(await other.report("release", first.run)).toMatchObject({ body: { state: "released" } });
    const second = await begin(other, { content: "other" });
    expect(second.run.fence).toBeGreaterThan(fence);
    const reports = [
      ["commit", {}],
      ["release", {}],
      ["doubt", { reason: "lost" }],
    ] as const;
    for (const [what, more] of reports)
      expect(await service.report(what, { ...first.run, ...more })).toMatchObject(lost);
    expect(await service.report("commit", second.run)).toMatchObject({ status: 200 });
    for (const [what, more] of reports)
      expect(await service.report(what, { ...first.run, ...more })).toMatchObject(lost);
  });

  it("is in doubt by its own word, with whose it is, and goes on once that is resolved", async () => {
    const service = programAt(urls[0]);
    const { id, run, effectKey } = await begin(service, { by: "worker 7", about: "Ann", process: "php-1" });
    const report = { ...run, reason: "socket hang up" };
    expect(await service.report("doubt", report)).toMatchObject({ body: { state: "in-doubt" } });

    const by = "shop: worker 7";
    const known = { jobId: id, effect: "charge", effectKey, by, about: "Ann", reason: "socket hang up" };
    expect(await service.doubts()).toMatchObject([{ ...known, mayStillRun: true }]);
    expect((await service.read(`/guarded-effects/${id}`)).body).toMatchObject({ worker: "php-1" });
    expect(await service.reserve()).toMatchObject({ status: 409, body: { code: "IN_DOUBT", id } });

    expect(await service.resolve(id, { as: "not-done" })).toMatchObject({
      body: { code: "RUN_MAY_BE_PENDING" },
    });
    await service.report("doubt", { ...report, isOver: true });
    expect(await service.resolve(id, { as: "not-done" })).toMatchObject({ status: 200 });
    const second = await begin(service);
    await service.report("commit", { ...second.run, result: 7 });
    expect((await service.reserve()).body).toMatchObject({ state: "done", result: 7 });
  });

  it("is in doubt when its time is over, and a late report does not change that", async () => {
    const service = programAt(urls[0]);
    const other = programAt(urls[0]);
    const late = { status: 409, body: { code: "IN_DOUBT" } };
    const reservationId = randomUUID();
    const { id, run } = await begin(service, { timeoutMs: 1, reservationId });
    const { deadline } = (await service.read(`/guarded-effects/${id}`)).body;
    await until("its time is over", () => Date.now() > Date.parse(String(deadline)) + 10);

    const resent = { timeoutMs: 1, reservationId: randomUUID() };
    await begin(other, resent);
    const over = Date.now() + 1_100;
    await until("the other one's time is over, too", () => Date.now() > over);
    // Whoever asks again must not begin.
    expect(await other.reserve(resent)).toMatchObject(late);

    // Nobody has looked at it before.
    const withId = { ...late, body: { ...late.body, id } };
    expect(await service.report("commit", { ...run, result: 1 })).toMatchObject(withId);
    expect(await service.reserve()).toMatchObject(withId);
    expect(await service.reserve({ reservationId })).toMatchObject(late);
    expect(await service.report("release", run)).toMatchObject(late);
    expect(await service.doubts()).toMatchObject([{ jobId: id }]);
  });

  it("may be run again while downstream remembers its key, if it says so", async () => {
    const service = programAt(urls[0]);
    const more = { downstreamRemembersMs: 60_000 };
    const first = await begin(service, more);
    await service.report("doubt", { ...first.run, reason: "lost", isOver: true });
    const second = await begin(service, more);
    expect(second.run.fence).toBeGreaterThan(first.run.fence);
    // It proves nothing about the first one.
    expect(await service.report("release", second.run)).toMatchObject({ status: 409 });
  });

  it("is done, without its result, if that is too large", async () => {
    const service = programAt(urls[0]);
    const { run } = await begin(service);
    const large = "x".repeat(16 * 1_024);
    expect(await service.report("commit", { ...run, result: large })).toMatchObject({
      status: 200,
      body: { isResultKept: false },
    });
    expect((await service.reserve()).body).toMatchObject({
      state: "done",
      result: null,
      isResultKept: false,
    });
  });

  it("keeps the first result, and says so of another one", async () => {
    const service = programAt(urls[0]);
    const { run } = await begin(service);
    const commit = async (report: object) => (await service.report("commit", { ...run, ...report })).body;
    expect(await commit({ result: { id: "ch_1", cents: 5 } })).toMatchObject({ isResultKept: true });
    expect(await commit({ result: { id: "ch_2" } })).toMatchObject({ isResultKept: false });
    expect(await commit({})).toMatchObject({ isResultKept: false });
    expect(await commit({ result: { cents: 5, id: "ch_1" } })).toMatchObject({ isResultKept: true });
    expect((await service.reserve()).body).toMatchObject({ result: { id: "ch_1" }, isResultKept: true });
  });

  it("is forgotten after its own time", async () => {
    const service = programAt(urls[0]);
    const { id, run } = await begin(service, { rememberMs: 1_000 });
    await service.report("commit", run);
    await until("it is forgotten", async () => (await service.read(`/guarded-effects/${id}`)).status === 404);
    expect((await begin(service)).run.fence).toBeGreaterThan(run.fence);
  });

  it("is refused with what is wrong", async () => {
    const service = programAt(urls[0]);
    const { run } = await begin(service);
    const at = (path: string, body: object) => call(`${service.url}${path}`, "POST", body, bearer("key"));
    const asked = { key: service.key, timeoutMs: 5_000 };
    const answers = await Promise.all([
      at("/effects/No/reserve", asked),
      at("/effects/-/commit", { key: service.key, ...run }),
      service.reserve({ key: "" }),
      service.reserve({ key: "x".repeat(256) }),
      service.reserve({ timeoutMs: 0 }),
      service.reserve({ reservationId: "mine" }),
      service.reserve({ unknown: 1 }),
      service.report("commit", { ...run, fence: undefined }),
      service.report("commit", { ...run, key: "" }),
      service.report("doubt", { ...run, reason: "x".repeat(2_001) }),
      service.report("doubt", run),
      service.report("commit", { ...run, key: `${service.key}-other` }),
      at("/effects/other/commit", { key: service.key, ...run }),
    ]);
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
      [400, "INVALID_REQUEST"],
      [400, "INVALID_REQUEST"],
      [400, "IDEMPOTENCY_KEY_INVALID"],
      [400, "IDEMPOTENCY_KEY_INVALID"],
      [400, "INVALID_REQUEST"],
      [400, "INVALID_REQUEST"],
      [400, "INVALID_REQUEST"],
      [400, "INVALID_REQUEST"],
      [400, "IDEMPOTENCY_KEY_INVALID"],
      [400, "INVALID_REQUEST"],
      [400, "INVALID_REQUEST"],
      [409, "RESERVATION_LOST"],
      [409, "RESERVATION_LOST"],
    ]);
    expect(await service.report("commit", run)).toMatchObject({ status: 200 });
  });

  it("needs the scope act, and is called by the typed client and the library, too", async () => {
    const service = programAt(urls[0]);
    const asked = { key: service.key, timeoutMs: 5_000 };
    const refused = await call(`${service.url}/effects/charge/reserve`, "POST", asked, bearer("o"));
    expect(refused).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });

    const client = createClient({ url: service.url, key: "key" });
    const reserved = await client.reserveEffect("charge", asked);
    if (reserved.state !== "reserved") throw new Error("It is not done yet");
    const { fence, id } = reserved;
    const operator = await createOperator(application, env);
    onTestFinished(() => operator.stop());
    await operator.runs.commit("charge", { key: service.key, fence, result: 5 });
    expect(await client.reserveEffect("charge", asked)).toMatchObject({ state: "done", result: 5 });

    const doubted = { ...asked, key: randomUUID() };
    const second = await client.reserveEffect("charge", doubted);
    const ofRun = { key: doubted.key, fence: second.state === "reserved" ? second.fence : 0 };
    await client.doubtEffect("charge", { ...ofRun, reason: "lost" });
    await expect(client.reserveEffect("charge", doubted)).rejects.toMatchObject({
      code: "IN_DOUBT",
      doubtId: second.id,
    });
    expect(second.id).not.toBe(id);
  });

  it("keeps its process counted as seen for the longest of the runs that began together", async () => {
    const operator = await createOperator(application, env);
    const redis = new Redis(env.REDIS_URL);
    onTestFinished(() => {
      redis.disconnect();
      return operator.stop();
    });
    const key = randomUUID();
    const process = randomUUID();
    const [long, short] = [600_000, 1_000].map((timeoutMs) =>
      operator.runs.reserve("charge", { key: `${key}${timeoutMs}`, timeoutMs, process }, "shop"),
    );
    await Promise.all([long, short]);

    const seen = await redis.keys(`${env.HOLDFAST_PREFIX}:*seen*`);
    const scores = await Promise.all(seen.map((one) => redis.zscore(one, process)));
    expect(Math.max(...scores.map(Number))).toBeGreaterThan(Date.now() + 500_000);
  });

  it("is in doubt where Redis has lost its reservation", async () => {
    const server = await startRedisServer();
    onTestFinished(() => server.stop());
    const service = programAt(await startService({ REDIS_URL: server.url }, onTestFinished));
    const { id, run } = await begin(service);
    const redis = new Redis(server.url);
    await redis.flushall();
    redis.disconnect();

    await until("the loss is noticed", async () => (await service.report("commit", run)).status !== 200);
    // What was known of the call is lost, too.
    const doubts = async () => (await service.read("/doubts")).body.doubts as unknown[];
    await until("it is in doubt", async () => (await doubts()).length > 0);
    expect(await doubts()).toMatchObject([{ jobId: id, mayStillRun: true }]);
    expect(await service.reserve()).toMatchObject({ status: expect.not.toBeOneOf([200]) });
  });

  it("does not begin again what an API has not seen in a part of the keys that Redis has lost", async () => {
    const server = await startRedisServer();
    onTestFinished(() => server.stop());
    const variables = { REDIS_URL: server.url };
    const url = await startService(variables, onTestFinished);
    await begin(programAt(url));
    const other = await createGuard({ effects: [charge], env: { ...env, ...variables } });
    const called = Array.from({ length: 20 }, (_, index) => programAt(url, `key-${index}`));
    await Promise.all(called.map(({ key }) => other.once(charge, { key }, async () => 1)));
    await other.stop();
    const redis = new Redis(server.url);
    await redis.flushall();
    redis.disconnect();

    const again = await Promise.all(called.map((program) => program.reserve()));
    expect(again).toMatchObject(called.map(() => ({ status: 503, body: { code: "STORE_ROLLED_BACK" } })));
  });
});

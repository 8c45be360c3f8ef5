import { once } from "node:events";
import { request } from "node:http";
import { describe, expect, it, onTestFinished } from "vitest";
import { application } from "../../support/application.ts";
import { call } from "../../support/http.ts";
import { bearer, keyEntry, signIn } from "../../support/keys.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { createService, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const keys = ["ann", "bob"].map((name) => keyEntry(name, "submit+read+operate", `${name}-key`)).join(",");
const limited = (limits: string, variables: Variables = {}) =>
  createService(application, { HOLDFAST_API_KEYS: keys, HOLDFAST_RATE_LIMITS: limits, ...variables });

type Headers = Readonly<Record<string, string>>;
const list = (url: string, headers: Headers) => call(`${url}/jobs`, "GET", undefined, headers);
const submit = (url: string, headers: Headers, count: number) =>
  call(
    `${url}/jobs/batch`,
    "POST",
    { jobs: Array.from({ length: count }, (_, n) => ({ type: "echo", payload: n, idempotencyKey: `${n}` })) },
    headers,
  );
const ann = bearer("ann-key");
const refused = { status: 429, body: { code: "RATE_LIMITED" } };

describe("a limit of an API key", () => {
  it("applies to all API processes together, and shows what is left and when to retry", async () => {
    const service = limited("ann=3/60");
    const [one, other] = [await service.startApi(), await service.startApi()];

    const first = await list(one.url, ann);
    await list(other.url, ann);
    const last = await list(one.url, ann);
    const tooMany = await list(other.url, ann);

    expect(first.headers.get("ratelimit-policy")).toBe('"all-60s";q=3;w=60');
    expect(first.headers.get("ratelimit")).toBe('"all-60s";r=2;t=60');
    expect([last.status, last.headers.get("ratelimit")]).toEqual([
      200,
      expect.stringMatching(/^"all-60s";r=0;t=\d+$/),
    ]);
    expect(tooMany).toMatchObject(refused);
    expect(Number(tooMany.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(Number(tooMany.headers.get("retry-after"))).toBeLessThanOrEqual(60);
  });

  it("never accepts more than it allows, however many requests arrive at once", async () => {
    const service = limited("ann=20/60");
    const [one, other] = [await service.startApi(), await service.startApi()];

    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, n) => list((n % 2 === 0 ? one : other).url, ann)),
    );

    expect(answers.filter(({ status }) => status === 200)).toHaveLength(20);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(40);
  });

  it("is per key, and resets when its window is over", async () => {
    const { url } = await limited("*=1/1").startApi();

    expect(await list(url, ann)).toMatchObject({ status: 200 });
    expect(await list(url, bearer("bob-key"))).toMatchObject({ status: 200 });
    await until("the window is over", async () => (await list(url, ann)).status === 200);
  });

  it("counts a session of the console as its key", async () => {
    const { url } = await limited("ann=1/60").startApi();

    expect(await list(url, await signIn(url, "ann-key"))).toMatchObject({ status: 200 });
    expect(await list(url, ann)).toMatchObject(refused);
  });

  it("can be for one scope, and several count together", async () => {
    const { url } = await limited("ann=100/1,ann:submit=5/86400").startApi();

    const accepted = await submit(url, ann, 4);
    const tooMany = await submit(url, ann, 2);

    expect(accepted.headers.get("ratelimit-policy")).toBe('"all-1s";q=100;w=1, "submit-86400s";q=5;w=86400');
    expect(accepted.headers.get("ratelimit")).toMatch(/^"all-1s";r=96;t=\d, "submit-86400s";r=1;t=86400$/);
    expect(tooMany).toMatchObject(refused);
    expect(Number(tooMany.headers.get("retry-after"))).toBeGreaterThan(80_000);
    expect(await submit(url, ann, 1)).toMatchObject({ status: 200 });
    expect(await list(url, ann)).toMatchObject({ status: 200 });
  });

  it("counts each job of a batch, and reports a batch that can never fit", async () => {
    const { url } = await limited("ann=10/60").startApi();

    const answer = await submit(url, ann, 11);

    expect(answer).toMatchObject({
      status: 429,
      body: { detail: "This request counts 11, but the limit is 10 in 60 s: send smaller batches" },
    });
    expect(answer.headers.get("retry-after")).toBeNull();
    expect(await submit(url, ann, 10)).toMatchObject({ status: 200 });
  });

  it("that is used up refuses a batch before its body is read", async () => {
    const { url } = await limited("ann=1/60").startApi();
    await list(url, ann);

    const headers = { ...ann, "content-type": "application/json", "content-length": "4000000" };
    const asked = request(`${url}/jobs/batch`, { method: "POST", headers });
    onTestFinished(() => void asked.on("error", () => {}).destroy());
    asked.write('{"jobs":[');
    const [answer] = await once(asked, "response");

    expect(answer.statusCode).toBe(429);
  });

  it("does not affect keys without limits, public routes or metrics", async () => {
    const service = limited("ann=1/60");
    const { url } = await service.startApi();

    const free = await list(url, bearer("bob-key"));
    for (const path of ["/health/live", "/metrics", "/metrics", "/session"])
      expect(await call(url + path, "GET", undefined, ann)).toMatchObject({ status: 200 });

    expect(free.headers.get("ratelimit")).toBeNull();
    expect(await service.connect().keys(`${service.env.HOLDFAST_PREFIX}:used:*`)).toEqual([]);
  });

  it("is a 503 in time while Redis does not answer", async () => {
    const server = await startRedisServer();
    onTestFinished(() => server.stop());
    const { url } = await limited("*=100/1", { REDIS_URL: server.url }).startApi();
    process.kill(server.pid, "SIGSTOP");

    const askedAt = performance.now();
    const answer = await list(url, ann);

    expect(performance.now() - askedAt).toBeLessThan(2_000);
    expect(answer).toMatchObject({ status: 503, body: { code: "STORE_UNAVAILABLE" } });
    expect(answer.headers.get("retry-after")).toBe("1");
  });
});

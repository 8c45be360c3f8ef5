import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { HoldfastError as HoldfastErrorOfMain } from "holdfast";
import { createClient, HoldfastError, type JobStatus } from "holdfast/client";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { anyJob, application, echo, type failing, type greeting } from "../../support/application.ts";
import { keyEntry } from "../../support/keys.ts";
import { latch } from "../../support/latch.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { applicationOf, createService } from "../../support/service.ts";
import { shopIn } from "../../support/shop.ts";
import { startStrippingProxy } from "../../support/stripping-proxy.ts";
import { until } from "../../support/until.ts";

type Contracts = typeof echo | typeof failing | typeof greeting;

const keyed = (idempotencyKey: string = randomUUID()) => ({ idempotencyKey });
const SAFE_AGAIN = expect.stringMatching(/Sending it again with the same key is safe$/);

/** A `fetch` that sends each request, and loses the first answers. */
function losing(answers: number) {
  const sent: string[] = [];
  const fetch = async (input: string | URL | Request, init?: RequestInit) => {
    const response = await globalThis.fetch(input, init);
    sent.push(String(init?.body));
    if (sent.length <= answers) throw new TypeError("socket hang up");
    return response;
  };
  return { sent, fetch };
}

/** Something that is not Holdfast. */
async function startServer(answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function failureOf(call: Promise<unknown>): Promise<HoldfastError> {
  const thrown = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown instanceof HoldfastError) return thrown;
  throw new Error(`Expected a HoldfastError, got ${String(thrown)}`);
}

describe("a client", () => {
  it("submits by a type's name or its contract, and waits for the end", async () => {
    const service = createService(application);
    const [api] = await Promise.all([service.startApi(), service.startWorker()]);
    const client = createClient<Contracts>({ url: `${api.url}/` });
    const options = keyed("client-1");

    const receipt = await client.submit("greeting", { to: "a@example.com", name: "A" }, options);
    const again = await createClient({ url: api.url }).submit(echo, "same key, another type", {
      ...options,
      priority: 3,
      runAt: new Date(0),
    });

    expect(receipt).toEqual({ id: receipt.id, type: "greeting", duplicate: false, ...options });
    expect(again).toMatchObject({ type: "echo", duplicate: false });
    expect(await client.wait(receipt.id)).toMatchObject({
      state: "completed",
      result: { sentTo: "a@example.com" },
    });
    expect(await client.status(receipt.id)).toMatchObject({ state: "completed" });
  });

  it("throws what the API answers, with its code, issues and class", async () => {
    const { url } = await createService(application).startApi();
    const client = createClient<Contracts>({ url });
    await client.submit("echo", 1, keyed("used"));

    const refused = await failureOf(client.submit("greeting", { to: "nobody", name: "" }, keyed()));
    const reused = await failureOf(client.submit("echo", 2, keyed("used")));

    expect(refused).toBeInstanceOf(HoldfastErrorOfMain);
    expect(refused).toMatchObject({
      code: "INVALID_PAYLOAD",
      issues: [{ pointer: "/payload/to" }, { pointer: "/payload/name" }],
    });
    expect(reused.code).toBe("IDEMPOTENCY_KEY_REUSED");
    expect(await client.status("default_none")).toBeUndefined();
    expect((await failureOf(client.wait("default_none"))).code).toBe("JOB_NOT_FOUND");
    expect((await failureOf(client.follow("default_none").next())).code).toBe("JOB_NOT_FOUND");
    expect((await failureOf(client.submit("echo", 1n, keyed()))).code).toBe("INVALID_REQUEST");
  });

  it("sends each option that it gets, and an unknown one is refused and not dropped", async () => {
    const { url } = await createService(application).startApi();
    const client = createClient({ url });
    const typo = { ...keyed(), priorty: 3 };

    const one = await failureOf(client.submit("echo", 1, typo));
    const [many] = await client.submitMany("echo", [{ ...typo, payload: 1 }]);

    expect(one).toMatchObject({ code: "INVALID_REQUEST", message: expect.stringContaining("priorty") });
    expect(many).toMatchObject({ code: "INVALID_REQUEST", message: expect.stringContaining("priorty") });
  });

  it("sends its key", async () => {
    const keys = { HOLDFAST_API_KEYS: keyEntry("shop", "submit", "shop-key") };
    const { url } = await createService(application, keys).startApi();
    const client = createClient<Contracts>({ url, key: "shop-key" });

    expect(await client.submit("echo", 1, keyed())).toMatchObject({ duplicate: false });
    expect((await failureOf(client.list())).code).toBe("FORBIDDEN");
    expect((await failureOf(createClient({ url }).list())).code).toBe("UNAUTHENTICATED");
  });

  it("submits again with the same key after lost answers: one job", async () => {
    const { url } = await createService(application).startApi();
    const { fetch, sent } = losing(2);
    const client = createClient<Contracts>({ url, fetch });

    const receipt = await client.submit("echo", { n: 1 }, keyed("lost"));

    expect(receipt.duplicate).toBe(true);
    expect(new Set(sent).size).toBe(1);
    expect(sent).toHaveLength(3);
    expect((await createClient({ url }).list({ type: "echo" })).jobs.map(({ id }) => id)).toEqual([
      receipt.id,
    ]);
  });

  it("submits again until Redis is back", async () => {
    const server = await startRedisServer();
    onTestFinished(() => server.stop());
    const { url } = await createService(application, { REDIS_URL: server.url }).startApi();
    const client = createClient<Contracts>({ url });
    await server.kill();
    const answered: number[] = [];
    const watching = createClient<Contracts>({
      url,
      fetch: async (input, init) => {
        const response = await fetch(input, init);
        answered.push(response.status);
        return response;
      },
    });

    const submitting = watching.submit("echo", 1, keyed("outage"));
    await until("a submission was answered 503", () => answered.includes(503));
    await server.restart();

    expect(await submitting).toMatchObject({ idempotencyKey: "outage" });
    expect((await client.list()).jobs).toHaveLength(1);
  });

  it("waits as long as a rate limit asks, but not for what is beyond the limit as such", async () => {
    const variables = {
      HOLDFAST_API_KEYS: keyEntry("ann", "submit", "ann-key"),
      HOLDFAST_RATE_LIMITS: "ann=2/1",
    };
    const { url } = await createService(application, variables).startApi();
    const client = createClient<Contracts>({ url, key: "ann-key" });
    const four = Array.from({ length: 4 }, () => client.submit("echo", 1, keyed()));

    expect(await Promise.all(four)).toHaveLength(4);

    const three = Array.from({ length: 3 }, () => ({ payload: 1, ...keyed() }));
    const results = await client.submitMany("echo", three);
    expect(results.map((result) => result instanceof HoldfastError && result.code)).toEqual(
      Array.from({ length: 3 }, () => "RATE_LIMITED"),
    );
  });

  it("gives up when its time is over, and says so", async () => {
    const url = await startServer((_asked, answer) => void answer.destroy());
    const client = createClient<Contracts>({ url, timeoutMs: 300 });
    const silent = createClient<Contracts>({ url: await startServer(() => {}), timeoutMs: 300 });
    const gateway = createClient<Contracts>({
      url: await startServer((_asked, answer) => void answer.writeHead(502).end("<h1>Bad gateway</h1>")),
      timeoutMs: 300,
    });

    const failures = [client, silent, gateway].map((one) => failureOf(one.submit("echo", 1, keyed())));

    for (const failure of await Promise.all(failures))
      expect(failure).toMatchObject({ code: "API_UNREACHABLE", retryable: true, message: SAFE_AGAIN });
    expect(await client.submitMany("echo", [{ payload: 1, ...keyed() }])).toMatchObject([
      { code: "API_UNREACHABLE", message: SAFE_AGAIN },
    ]);
    const others = [client.status("default_1"), client.retry("default_1"), gateway.retry("default_1")];
    for (const { code, message } of await Promise.all(others.map(failureOf))) {
      expect(code).toBe("API_UNREACHABLE");
      expect(message).not.toMatch(/key|again/);
    }
  });

  it.each([
    ["a page", { status: 200, headers: {} }],
    ["a page that is not there", { status: 404, headers: {} }],
    ["a redirect, which would make the POST a GET", { status: 301, headers: { location: "/jobs" } }],
  ])("does not mistake %s for an answer of Holdfast", async (_name, { status, headers }) => {
    const url = await startServer(
      (_asked, answer) =>
        void answer.writeHead(status, { "content-type": "text/html", ...headers }).end("<h1>"),
    );
    const client = createClient<Contracts>({ url });

    expect((await failureOf(client.submit("echo", 1, keyed()))).code).toBe("ANSWER_INVALID");
    expect((await failureOf(client.follow("default_1").next())).code).toBe("ANSWER_INVALID");
    expect((await failureOf(client.health())).code).toBe("ANSWER_INVALID");
  });

  it("ends a call when its signal is aborted", async () => {
    const url = await startServer(() => {});
    const client = createClient<Contracts>({ url });
    const reason = new Error("closed by the user");
    const aborted = AbortSignal.abort(reason);

    const calls = [
      client.submit("echo", 1, { ...keyed(), signal: aborted }),
      client.submitMany("echo", [{ payload: 1, ...keyed() }], { signal: aborted }),
      client.wait("default_1", { signal: aborted }),
      client.follow("default_1", { signal: aborted }).next(),
    ];

    for (const call of calls) await expect(call).rejects.toBe(reason);
  });
});

describe("many submissions", () => {
  it("go out in batches of 1,000, and each has its own result, in order", async () => {
    const { url } = await createService(application).startApi();
    const { fetch, sent } = losing(1);
    const client = createClient<Contracts>({ url, fetch });
    const submissions = Array.from({ length: 2_100 }, (_, n) => ({
      payload: { to: n === 1_500 ? "nobody" : `${n}@example.com`, name: "A" },
      ...keyed(`many-${n}`),
    }));

    const results = await client.submitMany("greeting", submissions);

    expect(sent.map((body) => JSON.parse(body).jobs.length)).toEqual([1_000, 1_000, 1_000, 100]);
    expect(results[1_500]).toMatchObject({ code: "INVALID_PAYLOAD", issues: [{ pointer: "/payload/to" }] });
    const receipts = results.filter((_, n) => n !== 1_500);
    expect(receipts).toMatchObject(
      submissions
        .filter((_, n) => n !== 1_500)
        .map(({ idempotencyKey }, n) => ({ idempotencyKey, duplicate: n < 1_000 })),
    );
  });

  it("are sent again only where they were not accepted", async () => {
    const { url } = await createService(application).startApi();
    const sent: string[][] = [];
    const client = createClient<Contracts>({
      url,
      // As if Redis had gone away between the first and the second job.
      fetch: async (input, init) => {
        const response = await fetch(input, init);
        const { jobs } = JSON.parse(String(init?.body)) as { jobs: { idempotencyKey: string }[] };
        sent.push(jobs.map(({ idempotencyKey }) => idempotencyKey));
        if (sent.length > 1) return response;
        const { results } = (await response.json()) as { results: unknown[] };
        const problem = { status: 503, code: "STORE_UNAVAILABLE", detail: "away" };
        return Response.json({ results: [results[0], problem, results[2]] });
      },
    });

    const results = await client.submitMany(
      "echo",
      ["a", "b", "c"].map((key) => ({ payload: 1, ...keyed(key) })),
    );

    expect(sent).toEqual([["a", "b", "c"], ["b"]]);
    expect(results).toMatchObject([{ duplicate: false }, { duplicate: true }, { duplicate: false }]);
  });

  it("fit into the API's limit, however large they are", async () => {
    const { url } = await createService(application).startApi();
    const submissions = Array.from({ length: 7 }, () => ({ payload: "é".repeat(400_000), ...keyed() }));

    const results = await createClient<Contracts>({ url }).submitMany("echo", submissions);

    expect(results).toMatchObject(submissions.map(() => ({ duplicate: false })));
  });
});

describe("a followed job", () => {
  it("is reported from its current state to its end, across a lost connection, without repetition", async () => {
    const steps = [latch(), latch()] as const;
    const job = anyJob({ type: "steps" });
    const handler = job.handler(async ({ progress }) => {
      for (const [index, step] of steps.entries()) {
        await progress(index);
        await step.opened;
      }
      return "done";
    });
    const service = createService(applicationOf(handler));
    const [api] = await Promise.all([service.startApi(), service.startWorker()]);
    const proxy = await startStrippingProxy(api.url, "");
    onTestFinished(proxy.stop);
    let streams = 0;
    const client = createClient({
      url: proxy.url,
      fetch: async (input, init) => {
        const response = await fetch(input, init);
        if (response.headers.get("content-type")?.startsWith("text/event-stream")) streams += 1;
        return response;
      },
    });
    const { id } = await client.submit(job, null, keyed());
    const seen: JobStatus[] = [];
    const following = (async () => {
      for await (const status of client.follow(id)) seen.push(status);
    })();
    const waiting = client.wait(id);

    await until("the first step is seen", () => seen.at(-1)?.progress === 0);
    proxy.cut();
    proxy.goOn();
    await until("the same state can be read again", () => streams === 2);
    proxy.cut();
    steps[0].open();
    await until("the second step is reached", async () => {
      const status = await createClient({ url: api.url }).status(id);
      return status?.progress === 1;
    });
    proxy.goOn();
    await until("the second step is seen", () => seen.at(-1)?.progress === 1);
    steps[1].open();
    await following;

    expect(seen.at(-1)).toMatchObject({ state: "completed", result: "done" });
    expect(new Set(seen.map((status) => JSON.stringify(status))).size).toBe(seen.length);
    expect(await waiting).toEqual(seen.at(-1));
  });

  it("is left when nobody reads on, or when the signal is aborted", async () => {
    const service = createService(application);
    const { url } = await service.startApi();
    const client = createClient<Contracts>({ url });
    const { id } = await client.submit("echo", 1, keyed());
    const subscribers = async () => {
      const text = await (await fetch(`${url}/metrics`)).text();
      return Number(/^holdfast_subscribers(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1]);
    };

    for await (const { state } of client.follow(id)) {
      expect(state).toBe("waiting");
      expect(await subscribers()).toBe(1);
      break;
    }
    await until("nobody subscribes", async () => (await subscribers()) === 0);

    const leaving = new AbortController();
    const following = client.follow(id, leaving);
    await following.next();
    const next = following.next();
    leaving.abort();
    await expect(next).rejects.toBe(leaving.signal.reason);
    await until("nobody subscribes", async () => (await subscribers()) === 0);
  });

  it("is waited for no longer than asked", async () => {
    const { url } = await createService(application).startApi();
    const client = createClient<Contracts>({ url });
    const { id } = await client.submit("echo", 1, keyed());
    const startedAt = performance.now();

    const status = await client.wait(id, { timeoutMs: 900 });

    expect(status.state).toBe("waiting");
    expect(performance.now() - startedAt).toBeGreaterThan(800);
  });
});

describe("the operator's calls of a client", () => {
  it("do what the routes do", async () => {
    const service = createService(shopIn({ isPartnerDown: true }));
    const [api] = await Promise.all([service.startApi(), service.startWorker()]);
    const client = createClient({ url: api.url });
    const order = { order: 90, email: "a@example.com" };
    const { id: doubtful } = await client.submit("order-confirmation", order, keyed("order-90"));
    const hook = { order: 1, url: "https://partner.example/" };
    const { id: failed } = await client.submit("partner-webhook", hook, keyed("hook"));
    const later = { ...keyed("later"), delayMs: 60_000 };
    const { id: delayed } = await client.submit("partner-webhook", hook, later);
    await Promise.all([client.wait(doubtful), client.wait(failed)]);

    expect((await client.list({ state: "failed", from: new Date(0), limit: 10 })).jobs).toHaveLength(2);
    expect(await client.detail(failed)).toMatchObject({ payload: hook, attemptsMade: 3 });
    expect((await client.failures()).groups).toHaveLength(2);
    expect(
      await client.previewAct({ act: "retry", filter: { type: "partner-webhook", to: new Date() } }),
    ).toMatchObject({ count: 1, matching: [{ code: "HANDLER_FAILED", count: 1 }] });
    const act = { act: "delete", filter: { state: "failed", type: "absent" }, reason: "none" } as const;
    const actId = await client.startAct(act, keyed("act"));
    expect(await client.startAct(act, keyed("act"))).toBe(actId);
    expect(await client.acts(1)).toMatchObject([{ id: actId, act: "delete", reason: "none" }]);
    await vi.waitFor(async () => expect((await client.act(actId)).state).toBe("done"), { timeout: 20_000 });
    expect((await failureOf(client.stopAct(actId))).code).toBe("JOB_ENDED");
    await client.retry(failed);
    expect((await failureOf(client.retry(delayed))).code).toBe("JOB_NOT_FAILED");
    expect(await client.cancel(delayed, { reason: "not wanted" })).toBe("cancelled");
    expect((await failureOf(client.cancel(delayed))).code).toBe("JOB_ENDED");

    expect(await client.doubts({ limit: 5 })).toMatchObject([{ jobId: doubtful, effect: "send" }]);
    const resolution = { as: "done", evidence: "Seen in the mailbox", result: "<1@shop>" } as const;
    expect(await client.resolve(doubtful, "send", resolution)).toBe("retried");
    expect(await client.wait(doubtful)).toMatchObject({ result: { messageId: "<1@shop>" } });
    expect(await client.auditTrail()).toMatchObject([
      { jobId: doubtful, as: "done" },
      { jobId: delayed, as: "cancelled", evidence: "not wanted" },
      { jobId: failed, as: "retried" },
      { jobId: actId, as: "delete-done", parts: { count: 2, as: ["delete-started", "delete-done"] } },
    ]);
    expect(await client.acceptLoss({ evidence: "none" })).toEqual([]);

    const { schedules } = await client.schedules({ next: 2 });
    expect(schedules.map(({ next }) => next.length)).toEqual([2, 2]);
    const [tick] = await client.ticks("stock-sync", 1);
    expect(await client.explainTick("stock-sync", new Date(tick!.at))).toMatchObject({
      text: expect.any(String),
    });
    expect(await client.pauseSchedule("stock-sync", { reason: "moving" })).toMatchObject({
      paused: { reason: "moving" },
    });
    expect(await client.resumeSchedule("stock-sync")).toMatchObject({ paused: null });
    const named = keyed('run "ü" \\');
    const run = await client.runSchedule("stock-sync", named);
    expect(run).toMatchObject({ type: "stock-sync", duplicate: false });
    expect(await client.runSchedule("stock-sync", named)).toEqual({ ...run, duplicate: true });
    expect((await failureOf(client.ticks("none"))).code).toBe("SCHEDULE_NOT_FOUND");
    expect(await client.health()).toMatchObject({ status: "ready", reasons: [] });
  });
});

describe("many calls at once", () => {
  it("wait for one signal, and for none, without a warning of a leak", async () => {
    const warnings: string[] = [];
    const note = ({ name }: Error) => void warnings.push(name);
    process.on("warning", note);
    onTestFinished(() => void process.off("warning", note));
    let asked = 0;
    const url = await startServer((_request, response) => {
      asked += 1;
      // Each call pauses, and tries again.
      response.writeHead(503, { "content-type": "application/problem+json", "retry-after": "2" });
      response.end(JSON.stringify({ title: "no", status: 503, detail: "no", code: "STORE_UNAVAILABLE" }));
    });
    const client = createClient({ url, timeoutMs: 5_000 });
    const over = new AbortController();
    const calls = 30;

    const made = Array.from({ length: calls }, (_, index) =>
      client.submit("echo", 1, { ...keyed(), ...(index % 2 === 0 && { signal: over.signal }) }),
    );
    const aborted = made.filter((_, index) => index % 2 === 0);
    await until("all have asked", () => asked === calls);
    over.abort(new Error("enough"));

    for (const call of aborted) await expect(call).rejects.toThrow("enough");
    expect(warnings).toEqual([]);
    for (const call of made) call.catch(() => {});
  });
});

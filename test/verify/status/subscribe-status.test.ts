import { createHash } from "node:crypto";
import { request } from "node:http";
import { PermanentError } from "holdfast";
import { describe, expect, it, onTestFinished } from "vitest";
import { anyJob } from "../../support/application.ts";
import { openStream } from "../../support/event-stream.ts";
import { call, get } from "../../support/http.ts";
import { latch } from "../../support/latch.ts";
import { monitorCommands } from "../../support/monitor.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { applicationOf, createService, untilState, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const job = anyJob({ retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 50 } } });
type Handle = Parameters<typeof job.handler>[0];

/** An API over a job that does what `handle` says once there is a worker. */
async function serviceThat(handle: Handle, variables: Variables = {}, contract = job) {
  const service = createService(applicationOf(contract.handler(handle)), variables);
  const [api, producer] = [await service.startApi(), await service.createProducer()];
  let count = 0;
  const submit = async () => {
    count += 1;
    const { id } = await producer.submit(contract, count, { idempotencyKey: `k${count}` });
    return { id, url: `${api.url}/jobs/${id}/status` };
  };
  return { service, api, producer, submit, queue: service.openBareQueue() };
}

/** The same on its own Redis, which the test may damage or observe. */
async function serviceOnOwnStore(handle: Handle, variables: Variables = {}) {
  const server = await startRedisServer();
  onTestFinished(() => server.stop());
  return { server, ...(await serviceThat(handle, { REDIS_URL: server.url, ...variables })) };
}

const eventStream = "text/event-stream";
const waitFor = (url: string, prefer: string) => call(url, "GET", undefined, { prefer });

/** How many clients this API counts as subscribers. */
async function subscribersAt(apiUrl: string): Promise<number> {
  const { body } = await get(`${apiUrl}/metrics`);
  return Number(/^holdfast_subscribers (\d+)$/m.exec(String(body.text))?.[1]);
}

const untilSubscribed = (apiUrl: string, count: number) =>
  until(`${count} clients follow`, async () => (await subscribersAt(apiUrl)) === count);

async function timed<T>(asking: Promise<T>) {
  const asked = performance.now();
  return { answer: await asking, tookMs: performance.now() - asked };
}

describe("a status read with Prefer: wait", () => {
  it("returns when the job completes, long before the time is up", async () => {
    const release = latch();
    const { service, api, submit } = await serviceThat(() => release.opened.then(() => "done"));
    await service.startWorker();
    const { id, url } = await submit();

    const waiting = timed(waitFor(url, "wait=30"));
    await untilSubscribed(api.url, 1);
    release.open();

    const { answer, tookMs } = await waiting;
    expect(answer).toMatchObject({ status: 200, body: { id, state: "completed", result: "done" } });
    expect(answer.headers.get("preference-applied")).toBe("wait=30");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(tookMs).toBeLessThan(5_000);
    expect(await subscribersAt(api.url)).toBe(0);
  });

  it("returns when the job has failed permanently, not when an attempt has", async () => {
    const { service, api, submit } = await serviceThat(async () => {
      throw new Error("as ever");
    });
    const { url } = await submit();

    const waiting = waitFor(url, "wait=30");
    await untilSubscribed(api.url, 1);
    await service.startWorker();

    expect(await waiting).toMatchObject({
      status: 200,
      body: { state: "failed", attemptsMade: 2, error: { code: "HANDLER_FAILED" } },
    });
  });

  it("returns when the time is up, with the current state", async () => {
    const { service, api, producer, submit } = await serviceThat(() => new Promise(() => {}), {
      HOLDFAST_STOP_GRACE_MS: "0",
    });
    const { id, url } = await submit();

    const waiting = timed(waitFor(url, "wait=2"));
    await untilSubscribed(api.url, 1);
    await service.startWorker();
    await untilState(producer, id, "active");

    const { answer, tookMs } = await waiting;
    expect(answer).toMatchObject({ status: 200, body: { state: "active" } });
    expect(answer.headers.get("preference-applied")).toBe("wait=2");
    expect(tookMs).toBeGreaterThan(1_950);
    expect(tookMs).toBeLessThan(4_000);
  });

  it("returns at once if the job has ended, and waits at most a minute", async () => {
    const { service, producer, submit } = await serviceThat(async () => 1);
    await service.startWorker();
    const { id, url } = await submit();
    await untilState(producer, id, "completed");

    const { answer, tookMs } = await timed(waitFor(url, "wait=3600"));

    expect(answer).toMatchObject({ status: 200, body: { state: "completed" } });
    expect(answer.headers.get("preference-applied")).toBe("wait=60");
    expect(tookMs).toBeLessThan(2_000);
  });

  it("is a plain read if the preference is invalid, or with HEAD", async () => {
    const { submit } = await serviceThat(async () => 1);
    const { url } = await submit();

    const ignored = await waitFor(url, "wait=soon");
    const head = await fetch(url, { method: "HEAD", headers: { prefer: "wait=30" } });

    for (const { status, headers } of [ignored, head]) {
      expect(status).toBe(200);
      expect(headers.get("preference-applied")).toBeNull();
    }
    expect(ignored.body.state).toBe("waiting");
  });

  it("is 404 at once for an unknown job, and as soon as an existing one is gone", async () => {
    const { api, submit, queue } = await serviceThat(async () => 1);
    const { id, url } = await submit();
    const notThere = { status: 404, body: { code: "JOB_NOT_FOUND" } };

    for (const other of [
      "nonsense",
      id.replace(/^default/, "nosuchqueue"),
      id.replace(/.{12}$/, "0".repeat(12)),
    ]) {
      expect(await waitFor(`${api.url}/jobs/${other}/status`, "wait=30")).toMatchObject(notThere);
    }
    const waiting = waitFor(url, "wait=30");
    await untilSubscribed(api.url, 1);
    await (await queue.getJob(id))?.remove();

    expect(await waiting).toMatchObject(notThere);
  });
});

describe("a stream of a job's states", () => {
  it("sends each state in order, and ends with the job", async () => {
    const [began, release] = [latch(), latch()];
    const { service, submit } = await serviceThat(async () => {
      began.open();
      await release.opened;
      return { sum: 3 };
    });
    const { id, url } = await submit();

    const stream = await openStream(url);
    await until("the first state arrives", () => stream.events.length === 1);
    await service.startWorker();
    await began.opened;
    await until("the job is active", () => stream.states.includes("active"));
    release.open();
    await stream.ended;

    expect(stream.status).toBe(200);
    expect(stream.headers).toMatchObject({
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store, no-transform",
      "x-accel-buffering": "no",
    });
    expect(stream.states).toEqual(["waiting", "active", "completed"]);
    const last = stream.events.at(-1);
    expect(last).toMatchObject({ event: "status", data: { id, result: { sum: 3 } } });
    expect(last?.data).toEqual((await get(url)).body);
    expect(new Set(stream.events.map((event) => event.id)).size).toBe(3);
  });

  it("sends progress, and the outcome of a failed attempt", async () => {
    const checked = latch();
    const handle: Handle = async ({ attempt, progress }) => {
      if (attempt === 2) return "at last";
      await progress({ percent: 40 });
      await checked.opened;
      throw new Error("not yet");
    };
    // A shorter delay could be over before the stream has read that the job is delayed.
    const retriedLater = anyJob({ retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 60_000 } } });
    const { service, submit, queue } = await serviceThat(handle, {}, retriedLater);
    const { id, url } = await submit();
    const stream = await openStream(url);
    await service.startWorker();

    await until("progress arrives", () => stream.events.some(({ data }) => data.progress !== null));
    checked.open();
    await until("the next attempt arrives", () => stream.states.includes("delayed"));
    await (await queue.getJob(id))?.promote();
    await stream.ended;

    expect(stream.events.find(({ data }) => data.state === "delayed")?.data).toMatchObject({
      attemptsMade: 1,
      progress: { percent: 40 },
      nextAttemptAt: expect.any(String),
      error: { code: "HANDLER_FAILED", message: "not yet" },
    });
    expect(stream.events.at(-1)?.data).toMatchObject({ state: "completed", result: "at last", error: null });
  });

  it("sends nothing to a client that returns after the end, until the job is retried", async () => {
    const { service, producer, submit, queue } = await serviceThat(async () => {
      throw new PermanentError("as asked");
    });
    const worker = await service.startWorker();
    const { id, url } = await submit();
    await untilState(producer, id, "failed");

    const first = await openStream(url);
    await first.ended;
    expect(first.states).toEqual(["failed"]);
    const lastEventId = { "last-event-id": first.events[0]?.id ?? "" };
    const again = await openStream(url, lastEventId);
    await again.ended;
    expect([again.status, again.events]).toEqual([204, []]);
    expect(await openStream(url, { "last-event-id": "of-an-earlier-state" })).toMatchObject({ status: 200 });

    await worker.stop();
    await (await queue.getJob(id))?.retry();
    const retried = await openStream(url, lastEventId);
    await until("the first state arrives", () => retried.states.length === 1);
    expect(retried.states).toEqual(["waiting"]);
  });

  it("is not opened by HEAD, nor for an unknown job", async () => {
    const { api, submit } = await serviceThat(async () => 1);
    const { url, id } = await submit();

    const head = await fetch(url, { method: "HEAD", headers: { accept: eventStream } });
    const gone = await call(url.replace(id, `${id}x`), "GET", undefined, { accept: eventStream });

    expect([head.status, head.headers.get("content-type")]).toEqual([200, "application/json; charset=utf-8"]);
    expect(gone).toMatchObject({ status: 404, body: { code: "JOB_NOT_FOUND" } });
    expect(await subscribersAt(api.url)).toBe(0);
  });

  it("is only for keys that may read", async () => {
    const secret = "s3cret";
    const sha256 = createHash("sha256").update(secret).digest("hex");
    const { submit } = await serviceThat(async () => 1, { HOLDFAST_API_KEYS: `shop:submit:${sha256}` });
    const { url } = await submit();

    const answers = [{}, { authorization: `Bearer ${secret}` }].map((headers) =>
      call(url, "GET", undefined, { accept: eventStream, ...headers }),
    );

    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([401, 403]);
  });

  it("ends when the job is gone", async () => {
    const { submit, queue } = await serviceThat(async () => 1);
    const { id, url } = await submit();
    const stream = await openStream(url);
    await until("the first state arrives", () => stream.events.length === 1);

    await (await queue.getJob(id))?.remove();
    await stream.ended;

    expect(stream.states[0]).toBe("waiting");
    expect(stream.comments).toContain("the job is gone");
  });
});

describe("many subscribers", () => {
  it("of one job share one connection, and one read for each event", async () => {
    const { service, api, submit, queue } = await serviceOnOwnStore(async () => 1);
    const store = service.connect();
    const { id, url } = await submit();
    const [first] = [await openStream(url), await queue.waitUntilReady(), await store.ping()];
    const bullmqJob = await queue.getJob(id);
    await bullmqJob?.updateProgress(1); // the script is known from here on
    await until("progress arrives", () => first.events.at(-1)?.data.progress === 1);
    const connections = await countConnections(store);

    const streams = await Promise.all(Array.from({ length: 250 }, () => openStream(url)));
    const waits = Array.from({ length: 249 }, () => waitFor(url, "wait=30"));
    await untilSubscribed(api.url, 500);
    expect(await countConnections(store)).toBe(connections);

    const scripts: string[] = [];
    let hasSeenAll = false;
    const stopMonitor = await monitorCommands(store, ({ isOfScript, text }) => {
      hasSeenAll ||= text.includes('"all have it"');
      if (!isOfScript && /^"eval/i.test(text) && text.includes(id)) scripts.push(text);
    });
    await bullmqJob?.updateProgress(2);
    await until("all have it", () => streams.every(({ events }) => events.at(-1)?.data.progress === 2));
    await store.echo("all have it");
    await until("every command until here was seen", () => hasSeenAll);
    stopMonitor();
    expect(scripts).toHaveLength(2); // BullMQ's own, and one read

    await bullmqJob?.remove();
    await Promise.all([...streams.map(({ ended }) => ended), ...waits]);
    expect(await subscribersAt(api.url)).toBe(0);
    await until(
      "the reader's connection is closed",
      async () => (await countConnections(store)) === connections - 1,
    );
  });

  it("are refused above the limit, and accepted again below it", async () => {
    const { api, submit } = await serviceThat(async () => 1, { HOLDFAST_SUBSCRIBERS_MAX: "2" });
    const { url } = await submit();
    const streams = [await openStream(url), await openStream(url)];

    const refused = await call(url, "GET", undefined, { accept: eventStream });
    expect(refused).toMatchObject({ status: 503, body: { code: "TOO_MANY_SUBSCRIBERS" } });
    expect(refused.headers.get("retry-after")).toBe("5");
    const atOnce = await waitFor(url, "wait=30");
    expect(atOnce).toMatchObject({ status: 200, body: { state: "waiting" } });
    expect(atOnce.headers.get("preference-applied")).toBeNull();

    streams[0]?.close();
    await untilSubscribed(api.url, 1);
    expect(await openStream(url)).toMatchObject({ status: 200 });
  });

  it("are forgotten as soon as they hang up", async () => {
    const { api, submit } = await serviceThat(async () => 1);
    const { url } = await submit();
    const streams = await Promise.all(Array.from({ length: 20 }, () => openStream(url)));
    const waits = Array.from({ length: 20 }, () => {
      const waiting = request(url, { agent: false, headers: { prefer: "wait=30" } }).end();
      return waiting.on("error", () => {}); // it hangs up before there is an answer
    });
    await untilSubscribed(api.url, 40);

    for (const stream of streams) stream.close();
    for (const waiting of waits) waiting.destroy();

    await untilSubscribed(api.url, 0);
  });
});

describe("an API that stops", () => {
  it("answers all waiting reads and ends all streams without waiting for them, and invites them back", async () => {
    const { service, api, producer, submit } = await serviceThat(() => new Promise(() => {}), {
      HOLDFAST_STOP_GRACE_MS: "0",
    });
    const { url } = await submit();
    const other = await submit();
    const stream = await openStream(url);
    const waiting = waitFor(other.url, "wait=60");
    await untilSubscribed(api.url, 2);
    await service.startWorker();
    await untilState(producer, other.id, "active");

    const { tookMs } = await timed(api.stop());

    const answer = await waiting;
    expect(answer).toMatchObject({ status: 200, body: { id: other.id, state: "active" } });
    expect(answer.headers.get("preference-applied")).toBeNull();
    await stream.ended;
    expect(stream.states[0]).toBe("waiting");
    expect(stream.comments.at(-1)).toMatch(/connect again/);
    expect(tookMs).toBeLessThan(3_000);
  });
});

describe("while Redis is down", () => {
  it("streams stay open, and send what happened when it is back", async () => {
    const { server, service, submit, queue } = await serviceOnOwnStore(async () => "done");
    const { url } = await submit();
    const stream = await openStream(url);
    await until("the first state arrives", () => stream.events.length === 1);

    await server.kill();
    await server.restart();
    await queue.waitUntilReady();
    await service.startWorker();
    await stream.ended;

    expect(stream.states[0]).toBe("waiting");
    expect(stream.events.at(-1)?.data).toMatchObject({ state: "completed", result: "done" });
  });

  it.each(["gone", "silent"] as const)("waiting reads are answered in time: %s", async (how) => {
    const { server, api, submit } = await serviceOnOwnStore(async () => 1);
    const { url } = await submit();
    const waiting = timed(waitFor(url, "wait=1"));
    await untilSubscribed(api.url, 1);

    if (how === "gone") await server.kill();
    else process.kill(server.pid, "SIGSTOP");

    const { answer, tookMs } = await waiting;
    expect(answer).toMatchObject({ status: 503, body: { code: "STORE_UNAVAILABLE" } });
    expect(tookMs).toBeLessThan(3_500);
    for (const headers of [{ prefer: "wait=30" }, { accept: eventStream }]) {
      const refused = await timed(call(url, "GET", undefined, headers));
      expect(refused.answer).toMatchObject({ status: 503, body: { code: "STORE_UNAVAILABLE" } });
      expect(refused.tookMs).toBeLessThan(2_000);
    }
    expect((await timed(api.stop())).tookMs).toBeLessThan(2_000);
  });
});

async function countConnections(store: { info(section: string): Promise<string> }): Promise<number> {
  return Number(/connected_clients:(\d+)/.exec(await store.info("clients"))?.[1]);
}

import express from "express";
import { createHandler } from "holdfast/server";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { application } from "../../support/application.ts";
import { type Answer, call, get, post } from "../../support/http.ts";
import { bearer, keyEntry } from "../../support/keys.ts";
import { listen } from "../../support/mounts.ts";
import { launchRole, urlOf, withProcesses } from "../../support/processes.ts";
import { type RemotePeer, startRemotePeer } from "../../support/remote-peer.ts";
import { createService } from "../../support/service.ts";
import { until } from "../../support/until.ts";
import { type Strain, strainOf } from "../../support/watched.ts";

const open = createService(application, {}, afterAll);
const ann = bearer("ann-key");
/** Node.js 24 lets garbage grow to 128 MiB before it looks, 20 and 22 to 32: what is measured is what Holdfast holds. */
const YOUNG_AS_NODE_20 = "--max-semi-space-size=16";
let peer: RemotePeer;
let closed: ReturnType<typeof createService>;

beforeAll(async () => {
  peer = await startRemotePeer();
  const keys = keyEntry("ann", "submit+read+operate", "ann-key");
  // Processes of their own use its variables.
  const own = { HOLDFAST_API_KEYS: keys, HOLDFAST_HOST: peer.host, NODE_OPTIONS: YOUNG_AS_NODE_20 };
  closed = createService(application, own, () => {});
});
afterAll(() => peer.stop());

function message(line: string, headers: Readonly<Record<string, string>> = {}, body?: unknown): string {
  const text = body === undefined ? "" : JSON.stringify(body);
  const all = {
    host: "localhost",
    ...headers,
    ...(body !== undefined && {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
    }),
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return `${[`${line} HTTP/1.1`, ...lines].join("\r\n")}\r\n\r\n${text}`;
}

/** An API in a process of its own, which listens where the peer can reach it. */
async function startApi(variables: Readonly<Record<string, string>> = {}) {
  const api = await launchRole("api", { ...closed.env, ...variables });
  const port = Number(new URL(urlOf(api)).port);
  return { url: `http://${peer.host}:${port}`, port, pid: api.pid };
}

function pauseOf({ body }: Answer): unknown {
  const [queue] = body.queues as { readonly paused: unknown }[];
  return queue?.paused;
}

const LITTLE = { memory: 64, ms: 500 };

/** V8 looks for what it may free once so much that was read from sockets is held. */
const V8_HOLDS_MIB = 64;

function expectLittle({ grownMiB, slowestMs }: Strain, memory = LITTLE.memory): void {
  expect(Math.round(slowestMs), "liveness, in milliseconds").toBeLessThan(LITTLE.ms);
  expect(Math.round(grownMiB), "growth of memory, in MiB").toBeLessThan(memory);
}

describe("a stranger who hangs up", () => {
  const TRIES = 30;

  async function mountWithoutKeys(before?: express.RequestHandler) {
    const { node, stop } = await createHandler(application, { env: open.env });
    onTestFinished(stop);
    const app = before === undefined ? node : express().use(before, node);
    return Number(new URL(await listen(app, onTestFinished, "0.0.0.0")).port);
  }

  it("resumes no paused queue of a mounted API without keys", async () => {
    const port = await mountWithoutKeys();
    const root = `http://127.0.0.1:${port}`;
    await post(`${root}/queues/default/pause`, { reason: "a test" });
    const sent = message("POST /queues/default/resume", {}, {});

    for (let tried = 0; tried < TRIES; tried++) await peer.send({ port, sent });
    const [refused] = await peer.send({ port, sent, readBytes: 20, forMs: 5_000 });

    expect(refused?.received).toMatch(/^HTTP\/1\.1 421 .*HOST_NOT_ALLOWED/s);
    expect(pauseOf(await get(`${root}/queues`))).toMatchObject({ reason: "a test" });
    await post(`${root}/queues/default/resume`, {});
  });

  it("stores no job, also behind a body parser", async () => {
    const port = await mountWithoutKeys(express.json());
    const submission = (key: number) => ({ type: "echo", payload: 1, idempotencyKey: `stranger-${key}` });

    for (let key = 0; key < TRIES; key++)
      await peer.send({ port, sent: message("POST /jobs", {}, submission(key)) });
    await peer.send({ port, sent: message("GET /"), readBytes: 20, forMs: 5_000 });

    const own = (await post(`http://127.0.0.1:${port}/jobs`, { ...submission(0), idempotencyKey: "own" }))
      .body;
    const { body } = await get(`http://127.0.0.1:${port}/jobs`);
    expect((body.jobs as { id: string }[]).map(({ id }) => id)).toEqual([own.id]);
  });
});

describe("a client with a key that hangs up right after its request", withProcesses, () => {
  it("has begun nothing", async () => {
    const { url, port } = await startApi();
    const pause = message("POST /queues/default/pause", ann, { reason: "never mind" });

    for (let tried = 0; tried < 10; tried++) {
      await peer.send({ port, sent: pause });
      await peer.send({ port, sent: message("GET /metrics", ann).repeat(20) + pause });
    }
    await peer.send({ port, sent: message("GET /health/live"), readBytes: 20, forMs: 5_000 });

    expect(pauseOf(await call(`${url}/queues`, "GET", undefined, ann))).toBeNull();
  });
});

describe("one connection with thousands of requests", withProcesses, () => {
  it.each([
    ["/openapi.json", 1_500],
    ["/docs/", 2_000],
    ["/console/", 2_000],
    ["/nothing", 2_000],
  ])("for %s harms nobody, and each is answered in its turn", async (path, times) => {
    const { url, port, pid } = await startApi();

    // The first request for a document makes it.
    const one = await peer.send({ port, sent: message(`GET ${path}`), readBytes: 20, forMs: 5_000 });
    const unread = await strainOf(pid, url, () =>
      peer.send({ port, sent: message(`GET ${path}`), times, forMs: 3_000 }),
    );
    const read = await strainOf(pid, url, () =>
      peer.send({ port, sent: message(`GET ${path}`), times, readBytes: 4_000_000, forMs: 3_000 }),
    );

    expect(one[0]?.received).toMatch(/^HTTP\/1\.1 [24]/);
    expectLittle(unread);
    expectLittle(read);
  });

  it.each([
    ["/nothing", 0],
    ["/nothing", 10_000_000],
    ["/health/live", 10_000_000],
    ["/openapi.json", 10_000_000],
    ["/jobs", 0],
  ])("for %s, on fifty connections that read %i bytes each, harms nobody", async (path, readBytes) => {
    const { url, port, pid } = await startApi();

    const strain = await strainOf(pid, url, () =>
      peer.send({
        port,
        connections: 50,
        sent: message(`GET ${path}`),
        times: 2_000,
        readBytes,
        forMs: 3_000,
      }),
    );

    expectLittle(strain);
  });

  it("for metrics harms no worker, and many askers share a scrape", async () => {
    const metrics = { HOLDFAST_METRICS_HOST: peer.host, HOLDFAST_METRICS_PORT: "0" };
    const worker = await launchRole("worker", { ...closed.env, ...metrics });
    const port = Number(/"metricsUrl":"[^"]+:(\d+)\//.exec(worker.stderr)?.[1]);
    const url = `http://${peer.host}:${port}`;

    const strain = await strainOf(worker.pid, url, async () => {
      await peer.send({ port, sent: message("GET /metrics"), times: 10_000, forMs: 5_000 });
      await peer.send({ port, connections: 50, sent: message("GET /metrics"), times: 2_000, forMs: 3_000 });
      await peer.send({
        port,
        connections: 50,
        sent: message("GET /metrics"),
        times: 50,
        readBytes: 500_000,
        forMs: 3_000,
      });
    });

    expectLittle(strain);
  });

  it("for metrics harms no worker with bodies that nobody reads", async () => {
    const metrics = { HOLDFAST_METRICS_HOST: peer.host, HOLDFAST_METRICS_PORT: "0" };
    const worker = await launchRole("worker", { ...closed.env, ...metrics });
    const port = Number(/"metricsUrl":"[^"]+:(\d+)\//.exec(worker.stderr)?.[1]);
    const url = `http://${peer.host}:${port}`;
    const sent = message("GET /metrics", {}, "x".repeat(15_000));

    const [one] = await peer.send({ port, sent, readBytes: 20, forMs: 5_000 });
    const strain = await strainOf(worker.pid, url, () =>
      peer.send({ port, connections: 50, sent, times: 300, forMs: 5_000 }),
    );

    expect(one?.received).toMatch(/^HTTP\/1\.1 400 /);
    expectLittle(strain);
    expect(Math.round(strain.grownMiB), "growth of memory, in MiB").toBeLessThan(LITTLE.memory / 2);
  });
});

describe("what stays open", withProcesses, () => {
  it.each([
    ["streams", { accept: "text/event-stream" }],
    ["waits", { prefer: "wait=60" }],
  ])("holds no thousand headers: %s", async (name, kind) => {
    const { url, port, pid } = await startApi();
    const later = {
      type: "echo",
      payload: 1,
      idempotencyKey: `open-${name}`,
      options: { delayMs: 3_600_000 },
    };
    const { id } = (await post(`${url}/jobs`, later, ann)).body;
    const many = Object.fromEntries(Array.from({ length: 900 }, (_, index) => [`a${index}`, "12345678"]));
    const sent = message(`GET /jobs/${id}/status`, { ...ann, ...kind, ...many });

    const strain = await strainOf(pid, url, async () => {
      for (let round = 0; round < 20; round++)
        await peer.send({ port, connections: 50, sent, leave: "stay", forMs: 200 });
    });
    await peer.release();

    expect(Math.round(strain.grownMiB), "growth of memory, in MiB").toBeLessThan(LITTLE.memory);
  });
});

describe("streams of events, pipelined", withProcesses, () => {
  it("take one subscriber of a connection, and none once it is closed", async () => {
    const { url, port } = await startApi();
    const job = { type: "echo", payload: 1, idempotencyKey: "streamed", options: { delayMs: 3_600_000 } };
    const { id } = (await post(`${url}/jobs`, job, ann)).body;
    const stream = { ...ann, accept: "text/event-stream" };
    const subscribers = async () => {
      const { body } = await call(`${url}/metrics`, "GET", undefined, ann);
      return Number(/^holdfast_subscribers (\d+)$/m.exec(String(body.text))?.[1]);
    };
    const streams = message(`GET /jobs/${id}/status`, stream) + message("GET /overview", stream);
    const waits = message(`GET /jobs/${id}/status`, { ...ann, prefer: "wait=60" });

    await peer.send({ port, connections: 14, sent: streams, times: 100, leave: "stay" });
    await until("each connection streams", async () => (await subscribers()) === 14);
    await peer.send({ port, connections: 2, sent: waits, times: 20, leave: "stay", forMs: 1_000 });
    // A body behind a stream, which nobody will read.
    const big = message("POST /jobs", ann, { ...job, payload: "x".repeat(500_000) });
    await peer.send({ port, sent: message("GET /overview", stream) + big, leave: "stay", forMs: 1_000 });
    await until("all wait or stream", async () => (await subscribers()) === 17);

    await peer.release();

    await until("all are forgotten", async () => (await subscribers()) === 0, 5_000);
  });
});

describe("large bodies", withProcesses, () => {
  const MIB = 1_048_576;
  const headOf = (bytes: number) =>
    `POST /jobs/batch HTTP/1.1\r\nhost: a\r\nauthorization: ${ann.authorization}\r\ncontent-type: application/json\r\ncontent-length: ${bytes}\r\n\r\n`;
  const names = () => Array.from({ length: 400_000 }, (_, index) => `"${index.toString(36)}":0`).join(",");

  it("of a key that has used up its limit are refused unread", async () => {
    const { url, port, pid } = await startApi({ HOLDFAST_RATE_LIMITS: "ann=1/3600" });
    await call(`${url}/jobs`, "GET", undefined, ann);
    const body = `{"jobs":[{${names()}}]}`;
    const begun = performance.now();

    const strain = await strainOf(pid, url, async () => {
      const sent = headOf(body.length) + body;
      const answers = await peer.send({ port, connections: 6, sent, readBytes: 300, forMs: 20_000 });
      for (const { received } of answers) expect(received).toMatch(/^HTTP\/1\.1 429 /);
    });

    expect(performance.now() - begun).toBeLessThan(5_000);
    expectLittle(strain);
  });

  it.each([
    ["a hundred thousands of names", () => `{"jobs":[{${names()}}]}`],
    [
      "numbers that take long to check",
      () => `{"jobs":[[${"1e1,".repeat(200_000)}0],[${"1e1,".repeat(200_000)}0]]}`,
    ],
    [
      "deep lists",
      () => `{"jobs":[${`[${`${"[".repeat(60)}${"]".repeat(60)},`.repeat(2_000)}0],`.repeat(14)}0]}`,
    ],
    ["more jobs than may be", () => `{"jobs":[${"{},".repeat(1_300_000)}0]}`],
  ])("let others have their turn: %s", async (_, make) => {
    const { url, port, pid } = await startApi();
    const body = make();

    const strain = await strainOf(pid, url, () =>
      peer.send({ port, connections: 3, sent: headOf(body.length) + body, readBytes: 300, forMs: 20_000 }),
    );

    expect(Math.round(strain.slowestMs), "liveness, in milliseconds").toBeLessThan(LITTLE.ms);
  });

  it.each([
    ["that is read", "POST /jobs/batch", 4, 500_000],
    ["that nobody reads, of a stream", "GET /overview", 40, 70_000],
  ])("in pieces of one byte hold little: one %s", async (_, line, connections, pieces) => {
    const { url, port, pid } = await startApi();
    const chunked = { ...ann, accept: "text/event-stream", "transfer-encoding": "chunked" };
    const head = message(line, { ...chunked, "content-type": "application/json" });

    const strain = await strainOf(pid, url, async () => {
      const sent = head + "1\r\n \r\n".repeat(pieces);
      await peer.send({ port, connections, sent, leave: "stay", forMs: 3_000 });
    });

    await peer.release();
    expect(Math.round(strain.grownMiB), "growth of memory, in MiB").toBeLessThan(LITTLE.memory);
  });

  it.each([
    ["that is read", "POST /jobs/batch", ann],
    ["that nobody may send", "POST /jobs/batch", {}],
    ["that nobody reads, of a stream", "GET /overview", { ...ann, accept: "text/event-stream" }],
  ])(
    "in pieces of one byte, on fifty connections, let others have their turn: one %s",
    async (_, line, headers) => {
      const { url, port, pid } = await startApi();
      const chunked = { ...headers, "transfer-encoding": "chunked", "content-type": "application/json" };

      const strain = await strainOf(pid, url, async () => {
        const sent = message(line, chunked) + "1\r\n \r\n".repeat(200_000);
        await peer.send({ port, connections: 50, sent, leave: "stay", forMs: 3_000 });
      });

      await peer.release();
      // They send 60 MB.
      expectLittle(strain, V8_HOLDS_MIB + LITTLE.memory / 2);
    },
  );

  it("that never end hold little together, and starve nobody", async () => {
    const { url, port, pid } = await startApi();
    const sent = headOf(4 * MIB) + "[".repeat(3 * MIB);

    const strain = await strainOf(pid, url, async () => {
      await peer.send({ port, connections: 256, sent, leave: "stay", forMs: 3_000 });
      const large = { type: "echo", payload: "x".repeat(900_000), idempotencyKey: "large" };
      await until(
        "another body is read",
        async () => (await post(`${url}/jobs`, large, ann)).status < 300,
        5_000,
      );
    });

    await peer.release();
    expect(Math.round(strain.grownMiB), "growth of memory, in MiB").toBeLessThan(4 * LITTLE.memory);
  });
});

import { once } from "node:events";
import { Agent, createServer, request } from "node:http";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import express from "express";
import { createHandler, type HandlerOptions } from "holdfast/server";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { application } from "../../support/application.ts";
import { openStream } from "../../support/event-stream.ts";
import { openGate } from "../../support/gate.ts";
import { call, get, post, sendRaw } from "../../support/http.ts";
import { bearer, keyEntry, signIn } from "../../support/keys.ts";
import { closeServer, hostNames, listen, mountIn, PREFIX } from "../../support/mounts.ts";
import { createService } from "../../support/service.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";

const ann = bearer("ann-key");
const service = createService(
  application,
  { HOLDFAST_API_KEYS: keyEntry("ann", "submit+read+operate", "ann-key") },
  afterAll,
);
const open = createService(application, {}, afterAll);
let count = 0;
const echo = (payload: unknown = 1) => ({ type: "echo", payload, idempotencyKey: `k${++count}` });

beforeAll(async () => {
  await service.startWorker();
});

describe.each(hostNames)("Holdfast mounted in %s", (name) => {
  let url: string;
  let root: string;
  const stops: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    url = (await mountIn(name, application, service.env, (stop) => stops.push(stop))).url;
    root = url + PREFIX;
  });
  afterAll(() => Promise.all(stops.map((stop) => stop())));

  it("submits, and says where the job's status is", async () => {
    const { status, headers, body } = await post(`${root}/jobs`, echo({ n: 1 }), ann);
    expect(status).toBe(202);
    expect(body.statusUrl).toBe(`${PREFIX}/jobs/${body.id}/status`);
    expect(headers.get("location")).toBe(body.statusUrl);

    const ended = await call(`${url}${body.statusUrl}`, "GET", undefined, { ...ann, prefer: "wait=30" });
    expect(ended.body).toMatchObject({ state: "completed", result: { n: 1 } });
  });

  it("says the same in batches, flows and acts on many jobs", async () => {
    const batch = await post(`${root}/jobs/batch`, { jobs: [echo(), { ...echo(), type: "no" }] }, ann);
    expect(batch.body.results).toMatchObject([
      { status: 202, statusUrl: expect.stringMatching(/^\/jobs-admin\/jobs\/.+\/status$/) },
      { status: 400, code: "UNKNOWN_JOB_TYPE" },
    ]);
    const flow = await post(`${root}/flows`, { parent: echo(), children: [echo()] }, ann);
    expect(flow.headers.get("location")).toBe(`${PREFIX}/jobs/${flow.body.id}/status`);
    const act = { act: "retry", all: true, reason: "a test" };
    const { status, body } = await post(`${root}/jobs/acts`, act, ann);
    expect([status, body.statusUrl]).toEqual([202, `${PREFIX}/jobs/acts/${body.id}`]);
  });

  it("streams states as they change, and notices when a client leaves", async () => {
    const gate = { ...echo(service.env.REDIS_URL), type: "gated" };
    const { id } = (await post(`${root}/jobs`, gate, ann)).body;
    const subscribers = async () => {
      const { body } = await call(`${root}/metrics`, "GET", undefined, ann);
      return /^holdfast_subscribers (\d+)$/m.exec(String(body.text))?.[1];
    };

    const stream = await openStream(`${root}/jobs/${id}/status`, await signIn(root, "ann-key"));
    const leaving = await openStream(`${root}/jobs/${id}/status`, ann);
    await until("the job runs", () => stream.states.includes("active"));
    expect(await subscribers()).toBe("2");
    leaving.close();
    await until("its subscription is gone", async () => (await subscribers()) === "1");
    await openGate(service.env.REDIS_URL, id);
    await stream.ended;

    expect(stream.headers["content-type"]).toMatch(/^text\/event-stream/);
    expect(stream.states.at(-1)).toBe("completed");
  });

  it("leaves every other path to the application, its 404s included", async () => {
    for (const path of ["/own", "/nothing", "/jobs", "/jobs-administration/jobs", "/"]) {
      const { status, body } = await get(`${url}${path}`);
      expect([status, body.text]).toEqual([path === "/own" ? 200 : 404, `the host's ${path}`]);
    }
    const { status, body } = await get(`${root}/nothing`);
    expect([status, body.code]).toEqual([404, "ROUTE_NOT_FOUND"]);
  });

  it("serves the console and the reference with what they load, and describes itself under its path", async () => {
    for (const page of ["console", "docs"]) {
      const found = await fetch(`${root}/${page}`);
      const text = await found.text();
      const [, base = ""] = /<base href="([^"]+)"/.exec(text) ?? [];
      const [, source = ""] = /<script[^>]* src="([^"]+)"/.exec(text) ?? [];
      const headers = { "accept-encoding": "br" };
      const script = await fetch(new URL(source, new URL(base, found.url)), { headers });
      expect(script.headers.get("content-type")).toMatch(/javascript/);
      expect((await script.text()).length).toBeGreaterThan(10_000);
    }
    const { body } = await get(`${root}/openapi.json`);
    expect(body.servers).toEqual([{ url: PREFIX, description: "This server" }]);
  });

  it("signs in, and refuses what a page of another site sends", async () => {
    const session = await signIn(root, "ann-key");
    const submit = (headers: Readonly<Record<string, string>>) => post(`${root}/jobs`, echo(), headers);

    expect((await submit({})).body.code).toBe("UNAUTHENTICATED");
    expect((await submit(session)).body.code).toBe("CROSS_SITE_REQUEST");
    expect((await submit({ ...session, "sec-fetch-site": "same-origin" })).status).toBe(202);
    expect((await submit({ ...ann, "sec-fetch-site": "cross-site" })).status).toBe(403);
  });

  it("ends its streams when it stops, and leaves the application's server and connections alone", async () => {
    const mounted = await mountIn(name, application, open.env);
    const { id } = (await post(`${mounted.url}${PREFIX}/jobs`, echo())).body;
    const stream = await openStream(`${mounted.url}${PREFIX}/jobs/${id}/status`);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const before = await portOf(agent, `${mounted.url}/own`);

    await mounted.handler.stop();
    await stream.ended;

    expect(stream.comments).toContain("the server is stopping; connect again");
    expect(await portOf(agent, `${mounted.url}/own`)).toBe(before);
    const { status, body } = await post(`${mounted.url}${PREFIX}/jobs`, echo());
    expect([status, body.code]).toEqual([503, "STORE_UNAVAILABLE"]);
  });
});

describe("when the application stops, which calls nothing of ours", () => {
  const running = async (name: (typeof hostNames)[number]) => {
    const { url } = await mountIn(name, application, open.env);
    const { id } = (await post(`${url}${PREFIX}/jobs`, { ...echo(open.env.REDIS_URL), type: "gated" })).body;
    return { url, status: `${url}${PREFIX}/jobs/${id}/status` };
  };

  it.each(hostNames.filter((name) => !name.startsWith("fetch")))(
    "streams in %s end with its server, which waits for nothing then",
    async (name) => {
      const { url, status } = await running(name);
      const streams = [await openStream(status), await openStream(`${url}${PREFIX}/overview`)];
      const waiting = call(status, "GET", undefined, { prefer: "wait=60" });
      await until("the wait is open", async () => (await get(`${url}${PREFIX}/metrics`)).status === 200);

      const closed = closeServer(url);
      await Promise.all(streams.map(({ ended }) => ended));

      expect(streams[0]?.comments).toContain("the server is stopping; connect again");
      expect((await waiting).headers.get("connection")).toBe("close");
      await closed;
    },
  );

  it("streams of fetch end with a signal, and so does the next one of a connection that is still open", async () => {
    const told: string[] = [];
    const listener = (signal: string) => void told.push(signal);
    process.on("SIGTERM", listener);
    onTestFinished(() => void process.off("SIGTERM", listener));
    const { status } = await running("fetch, as Hono and Next.js call it");
    const stream = await openStream(status);

    process.emit("SIGTERM", "SIGTERM");
    await stream.ended;
    await (await openStream(status)).ended;

    expect(stream.comments).toContain("the server is stopping; connect again");
    expect(stream.headers.connection).toBe("close");
    expect(told).toEqual(["SIGTERM"]);
  });
});

/** Reads a page; returns the local port of its connection. */
async function portOf(agent: Agent, url: string): Promise<number | undefined> {
  const asked = request(url, { agent }).end();
  const [answer] = await once(asked, "response");
  const { localPort } = answer.socket;
  await once(answer.resume(), "end");
  return localPort;
}

async function handle(options: HandlerOptions) {
  const handler = await createHandler(application, { env: open.env, ...options });
  onTestFinished(handler.stop);
  return handler;
}

describe("two mounts in one process", () => {
  it("are two services, each under its path, with its own sessions", async () => {
    const keys = keyEntry("bob", "read", "bob-key");
    const { env } = createService(application, { HOLDFAST_API_KEYS: keys });
    const first = await handle({ prefix: "/a", env: service.env });
    const second = await handle({ prefix: "/a/b/", env });
    const url = await listen(express().use(second.node).use(first.node));
    const list = async (path: string, headers: Readonly<Record<string, string>>) =>
      (await call(`${url}${path}/jobs`, "GET", undefined, headers)).status;

    expect(await list("/a", await signIn(`${url}/a`, "ann-key"))).toBe(200);
    expect(await list("/a/b", await signIn(`${url}/a/b`, "bob-key"))).toBe(200);
    expect(await list("/a/b", ann)).toBe(401);
    await first.stop();
    expect(await list("/a", ann)).toBe(503);
    expect(await list("/a/b", bearer("bob-key"))).toBe(200);
  });

  it("are refused at one path until the first has stopped, or has failed to start", async () => {
    const refusal = { code: "CONFIG_INVALID", message: expect.stringContaining("/twice is mounted already") };
    const env = { ...open.env, HOLDFAST_DURABILITY: "replica:1" };
    await expect(handle({ prefix: "/twice", env })).rejects.toMatchObject({ code: "STORE_UNFIT" });
    const starts = await Promise.allSettled([handle({ prefix: "/twice" }), handle({ prefix: "/twice/" })]);
    expect(starts).toMatchObject([{ status: "fulfilled" }, { status: "rejected", reason: refusal }]);
    if (starts[0].status === "fulfilled") await starts[0].value.stop();
    await handle({ prefix: "/twice" });
  });

  it("are accepted without a prefix: the application's router has their paths", async () => {
    const [first, second] = [await handle({}), await handle({ env: service.env })];
    const url = await listen(express().use("/a", first.node).use("/b", second.node));
    expect((await get(`${url}/a/jobs`)).status).toBe(200);
    expect((await get(`${url}/b/jobs`)).status).toBe(401);
  });
});

describe("a mount without API keys", () => {
  const [elsewhere] = Object.values(networkInterfaces())
    .flat()
    .filter((found) => found?.family === "IPv4" && !found.internal);

  it("serves only clients on this machine, and only under its names", async () => {
    const { node } = await handle({ prefix: PREFIX });
    const url = new URL(await listen(node, onTestFinished, "::"));
    const head = (host: string) =>
      `GET ${PREFIX}/jobs HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;

    expect(await sendRaw(url.href, head("localhost"))).toMatch(/^HTTP\/1\.1 200 /);
    expect(await sendRaw(url.href, head("evil.example"))).toMatch(
      /^HTTP\/1\.1 421 .*HOLDFAST_ALLOWED_HOSTS/s,
    );
    url.hostname = elsewhere?.address ?? "";
    expect(await sendRaw(url.href, head("localhost"))).toMatch(/^HTTP\/1\.1 421 .*HOLDFAST_API_KEYS/s);
  });
});

describe("a mount on a Unix socket, without API keys", () => {
  it("serves whoever may open the socket", async () => {
    const { node } = await handle({ prefix: PREFIX });
    const socketPath = join(await temporaryFolder(), "api.sock");
    const server = createServer(node).listen(socketPath);
    await once(server, "listening");
    onTestFinished(() => void server.close());

    const asked = request({ socketPath, path: `${PREFIX}/jobs`, headers: { host: "localhost" } }).end();
    const [answer] = await once(asked, "response");
    answer.resume();

    expect(answer.statusCode).toBe(200);
  });
});

describe("a body that the application has read before", () => {
  const key = `whole-${Math.random()}`;
  const submitted = (payload: string) => `{"type":"echo", "payload":${payload}, "idempotencyKey":"${key}"}`;
  async function submit(before: express.RequestHandler, ...payloads: string[]) {
    const { node } = await handle({ prefix: PREFIX });
    const url = await listen(express().use(before, node));
    const answers = [];
    for (const payload of payloads) answers.push(await post(`${url}${PREFIX}/jobs`, submitted(payload)));
    return answers;
  }

  it("is submitted as the application has parsed it", async () => {
    const [first, second] = await submit(express.json(), "9007199254740993", "9007199254740992");

    expect(first?.status).toBe(202);
    expect(second?.body.duplicate).toBe(true);
  });

  it("is checked to the letter where the application has kept its bytes", async () => {
    const verify = (parsed: object, _: unknown, rawBody: Buffer) => void Object.assign(parsed, { rawBody });
    const [answer] = await submit(express.json({ verify }), "9007199254740993");

    expect(answer?.body).toMatchObject({ code: "INVALID_PAYLOAD", errors: [{ pointer: "/payload" }] });
  });

  it("that was not kept is an error at once, not a wait", async () => {
    const [answer] = await submit((parsed, _, next) => void parsed.resume().once("end", next), "1");

    expect(answer?.body).toMatchObject({ code: "INTERNAL", status: 500 });
  });
});

describe(".fetch", () => {
  const json = { "content-type": "application/json" };

  it("serves a Request without a server, keeps the bytes of its body, and breaks off when it is aborted", async () => {
    const { fetch: serve } = await handle({ prefix: PREFIX });
    const ask = (path: string, init?: RequestInit) =>
      serve(new Request(`http://localhost${PREFIX}${path}`, init));
    const submit = (body: NonNullable<RequestInit["body"]>) =>
      ask("/jobs", { method: "POST", headers: json, body });

    const accepted = await submit(JSON.stringify(echo()));
    const { id } = (await accepted.json()) as { id: string };
    expect(accepted.status).toBe(202);
    expect(accepted.headers.get("location")).toBe(`${PREFIX}/jobs/${id}/status`);
    expect((await ask("/jobs", { method: "HEAD" })).body).toBeNull();
    expect((await submit(new Uint8Array([0x22, 0xff, 0x22]))).status).toBe(400);
    expect((await submit("x".repeat(3 * 1_048_576))).status).toBe(413);

    const over = new AbortController();
    const waiting = ask(`/jobs/${id}/status`, { headers: { prefer: "wait=60" }, signal: over.signal });
    over.abort();
    await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
    expect((await serve(new Request("http://localhost/elsewhere"))).status).toBe(404);
    expect((await serve(new Request(`http://evil.example${PREFIX}/jobs`))).status).toBe(421);
  });
});

describe("a mount with requests that wait behind a stream", () => {
  it("stops at once: they are never answered", async () => {
    const handler = await createHandler(application, { env: open.env });
    const url = await listen(handler.node, onTestFinished);
    const stream = "GET /overview HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    const ended = sendRaw(url, stream + "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20));
    await until("it streams", async () =>
      /^holdfast_subscribers \d/m.test(String((await get(`${url}/metrics`)).body.text)),
    );
    const begun = performance.now();

    await handler.stop();

    expect(performance.now() - begun).toBeLessThan(5_000);
    expect(await ended).toMatch(/^HTTP\/1.1 200 .*text\/event-stream/s);
  });
});

describe("a prefix", () => {
  it.each(["jobs", "/jobs?", "/jobs//admin", "/../jobs", "/jobs%2Fadmin", "//jobs"])(
    "that is no plain path is refused: %s",
    async (prefix) => {
      await expect(handle({ prefix })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    },
  );

  it("may be absent, or begin at the path where the application has mounted it", async () => {
    const bare = await handle({});
    const nested = await handle({ prefix: PREFIX });
    const url = await listen(express().use("/bare", bare.node).use("/ops", nested.node));

    const { body } = await post(`${url}/bare/jobs`, echo());
    expect(body.statusUrl).toBe(`/bare/jobs/${body.id}/status`);
    const other = (await post(`${url}/ops${PREFIX}/jobs`, echo())).body;
    expect(other.statusUrl).toBe(`/ops${PREFIX}/jobs/${other.id}/status`);
    expect((await get(`${url}/bare?x=1`)).body.code).toBe("ROUTE_NOT_FOUND");
  });
});

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { createOperator, type Producer } from "holdfast";
import { Webhook } from "standardwebhooks";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import application from "../../../holdfast.config.ts";
import { webhook } from "../../../jobs/webhook/contract.ts";
import { post } from "../../../jobs/webhook/post.ts";
import quickApplication from "../../support/fixtures/quick-jobs.config.ts";
import { START_MS, withProcesses } from "../../support/processes.ts";
import { createService, type Service, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const secret = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const event = { type: "invoice.paid", timestamp: "2026-11-24T09:00:00Z", data: { invoice: "in-42" } };

/** Of the real job; the other one has short time-outs. */
let producer: Producer;
let quickProducer: Producer;
// Not in `beforeAll`, where `afterAll` does nothing.
const real = createService(application, { SMTP_URL: "smtp://127.0.0.1:9" }, afterAll);
const quick = createService(quickApplication, {}, afterAll);

beforeAll(async () => {
  producer = await startJobs(real);
  quickProducer = await startJobs(quick);
});
beforeEach(() => {
  vi.stubEnv("WEBHOOK_SECRET", secret);
  vi.stubEnv("WEBHOOK_ALLOW", "127.0.0.1/32");
});
afterEach(() => {
  vi.unstubAllEnvs();
});

async function startJobs(service: Service): Promise<Producer> {
  await service.startWorker();
  return await service.createProducer();
}

interface Delivery {
  readonly at: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

type Reply = (response: ServerResponse) => void;
const replies = (status: number, headers: Record<string, string> = {}): Reply => {
  return (response) => void response.writeHead(status, headers).end("thank you");
};

/** A webhook receiver: it sends these replies in order, then 204. */
async function startReceiver(...script: Reply[]) {
  const deliveries: Delivery[] = [];
  const server = createServer(async (request, response) => {
    const reply = script[deliveries.length] ?? replies(204);
    const delivery = { at: performance.now(), headers: request.headers, body: await text(request) };
    deliveries.push(delivery);
    reply(response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/hooks`, port, deliveries };
}

/** A port that nobody may connect to. */
async function startTrap() {
  const seen: string[] = [];
  const server = createTcpServer((socket) => {
    seen.push("connection");
    socket
      .on("error", () => {})
      .once("data", (data) => {
        seen.push(data.toString("latin1"));
        socket.destroy();
      });
  }).listen(0);
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, seen };
}

async function submit(to: Producer, url: string, key: string): Promise<string> {
  return (await to.submit(webhook, { url, event }, { idempotencyKey: key })).id;
}

async function outcome(of: Producer, url: string) {
  return await untilState(of, await submit(of, url, url), "completed", "failed");
}

function verified({ headers, body }: Delivery): unknown {
  return new Webhook(secret).verify(body, headers as Record<string, string>);
}

describe("a webhook", () => {
  it("is one signed POST of the event", async () => {
    const { url, port, deliveries } = await startReceiver(replies(202));

    expect(await outcome(producer, url)).toMatchObject({
      state: "completed",
      result: { status: 202 },
      effects: [{ name: "deliver", state: "done" }],
    });

    expect(deliveries).toHaveLength(1);
    expect(verified(deliveries[0]!)).toEqual(event);
    expect(deliveries[0]?.headers).toMatchObject({
      host: `127.0.0.1:${port}`,
      "content-type": "application/json",
      "idempotency-key": deliveries[0]?.headers["webhook-id"],
    });
  });

  it("is repeated with the same key and a new signature until it is accepted, at the receiver's pace", async () => {
    const { url, deliveries } = await startReceiver(replies(500), replies(429, { "retry-after": "2" }));

    expect(await outcome(producer, url)).toMatchObject({
      state: "completed",
      attemptsMade: 3,
      result: { status: 204 },
    });

    const [first, second, third] = deliveries;
    expect(deliveries).toHaveLength(3);
    for (const delivery of deliveries) expect(verified(delivery)).toEqual(event);
    expect(new Set(deliveries.map(({ headers }) => headers["idempotency-key"])).size).toBe(1);
    expect(new Set(deliveries.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(new Set(deliveries.map(({ headers }) => headers["webhook-timestamp"])).size).toBeGreaterThan(1);
    const [afterError, afterBusy] = [second!.at - first!.at, third!.at - second!.at];
    expect(afterError).toBeGreaterThan(750);
    expect(afterError).toBeLessThan(5_000);
    expect(afterBusy).toBeGreaterThan(1_950);
    expect(afterBusy).toBeLessThan(6_000);
  });

  it.each([400, 404, 410, 422])("fails permanently if the receiver answers %d", async (status) => {
    const { url, deliveries } = await startReceiver(replies(status));

    expect(await outcome(producer, url)).toMatchObject({
      state: "failed",
      attemptsMade: 1,
      error: { code: "PERMANENT_FAILURE", message: `The receiver answered ${status}` },
      effects: [],
    });
    expect(deliveries).toHaveLength(1);
  });

  it("fails after its last attempt if nobody listens, with nothing in doubt", async () => {
    expect(await outcome(quickProducer, "http://127.0.0.1:1/")).toMatchObject({
      state: "failed",
      attemptsMade: 3,
      error: { code: "HANDLER_FAILED", message: expect.stringContaining("ECONNREFUSED") },
      effects: [],
    });
  });

  it("counts as delivered by the status, however long the rest of the answer is", async () => {
    const chatter: Reply = (response) => {
      response.writeHead(200);
      const talk = () => {
        while (response.write("x".repeat(10_000)));
        response.once("drain", talk);
      };
      talk();
    };
    const { url } = await startReceiver(chatter, (response) => response.writeHead(200).write("unfinished"));
    const quiet = await startReceiver((response) => response.writeHead(201).write("unfinished"));

    expect(await outcome(producer, url)).toMatchObject({ result: { status: 200 } });
    expect(await outcome(producer, quiet.url)).toMatchObject({ result: { status: 201 } });
  });

  it("is not sent without a secret to sign it", async () => {
    vi.stubEnv("WEBHOOK_SECRET", "");
    const { url, deliveries } = await startReceiver();

    expect(await outcome(producer, url)).toMatchObject({
      state: "failed",
      attemptsMade: 1,
      error: { code: "PERMANENT_FAILURE", message: expect.stringContaining("WEBHOOK_SECRET") },
    });
    expect(deliveries).toEqual([]);
  });
});

describe("a webhook that may have arrived", () => {
  it.each<[string, Reply]>([
    ["says nothing", () => {}],
    ["hangs up instead of answering", (response) => response.socket?.destroy()],
    ["answers half a line", (response) => response.socket?.end("HTTP/1.1 20")],
  ])("is in doubt and is repeated with the same key if the receiver %s", async (reason, reply) => {
    const { url, deliveries } = await startReceiver(reply);
    const id = await submit(quickProducer, url, reason);

    await until("it is in doubt", async () => {
      const status = await quickProducer.status(id);
      return status?.effects[0]?.state === "in-doubt";
    });

    expect(await untilState(quickProducer, id, "completed")).toMatchObject({
      attemptsMade: 2,
      effects: [{ name: "deliver", state: "done" }],
    });
    expect(deliveries.map(verified)).toEqual([event, event]);
    expect(deliveries[1]?.headers["idempotency-key"]).toBe(deliveries[0]?.headers["idempotency-key"]);
    await using operator = await createOperator(quickApplication, quick.env);
    expect(await operator.doubts(0, 10)).toEqual([]);
  });
});

describe("a webhook to an internal address is refused permanently, without a connection", () => {
  it.each([
    ["http://169.254.169.254/", "refused: 169.254.169.254 is a link-local address"],
    ["http://127.0.0.1:PORT/", "refused: 127.0.0.1 is a loopback address"],
    ["http://[::ffff:127.0.0.1]:PORT/", "refused: ::ffff:7f00:1 is an IPv4 address in IPv6"],
    ["http://2130706433:PORT/", "refused: 127.0.0.1 is a loopback address"],
    ["http://[::1]:PORT/", "refused: ::1 is a loopback address"],
    ["http://0.0.0.0:PORT/", "refused: 0.0.0.0 is an unspecified address"],
    ["http://localhost:PORT/", expect.stringMatching(/^refused: localhost is at \S+, a loopback address$/)],
    ["https://localhost:PORT/", expect.stringMatching(/^refused: localhost is at \S+, a loopback address$/)],
  ])("%s", async (url, message) => {
    vi.stubEnv("WEBHOOK_ALLOW", "");
    const trap = await startTrap();

    expect(await outcome(producer, url.replace("PORT", String(trap.port)))).toMatchObject({
      state: "failed",
      attemptsMade: 1,
      error: { code: "PERMANENT_FAILURE", message },
      effects: [],
    });
    expect(trap.seen).toEqual([]);
  });

  it.each(["http://169.254.169.254/", "http://127.0.0.1:PORT/", "http://localhost:PORT/"])(
    "even where a receiver redirects there: %s",
    async (to) => {
      const trap = await startTrap();
      const location = to.replace("PORT", String(trap.port));
      const { url, deliveries } = await startReceiver(replies(307, { location }));

      expect(await outcome(producer, url)).toMatchObject({
        state: "failed",
        attemptsMade: 1,
        error: {
          code: "PERMANENT_FAILURE",
          message: `The receiver answered 307 and points to ${location}; redirects are not followed`,
        },
      });
      expect(deliveries).toHaveLength(1);
      expect(trap.seen).toEqual([]);
    },
  );
});

describe("the connection to a receiver", () => {
  const here = [{ address: "127.0.0.1", family: 4 }];

  it("goes to the address that was checked, under the name in the URL", async () => {
    const { port, deliveries } = await startReceiver();

    const answer = await post(
      new URL(`http://receiver.example:${port}/hooks`),
      here,
      {},
      "{}",
      AbortSignal.timeout(5_000),
    );

    expect(answer.status).toBe(204);
    expect(deliveries[0]?.headers.host).toBe(`receiver.example:${port}`);
  });

  it("requires a certificate for the name in the URL", async () => {
    const trap = await startTrap();

    const posting = post(
      new URL(`https://receiver.example:${trap.port}/`),
      here,
      {},
      "{}",
      AbortSignal.timeout(500),
    );

    await expect(posting).rejects.toThrow();
    expect(trap.seen).toEqual(["connection", expect.stringContaining("receiver.example")]);
  });
});

describe("the receivers in the examples", () => {
  const languages = [
    ["node", ["--import", "tsx", "examples/webhook-receiver.ts"]],
    ["python3", ["examples/webhook_receiver.py"]],
  ] as const;
  const installed = languages.filter(([program]) => spawnSync(program, ["--version"]).error === undefined);

  it.each(installed)("accept a genuine webhook, in %s", withProcesses, async (program, args) => {
    const receiver = await startProgram(program, args, secret);

    expect(await outcome(producer, receiver.url)).toMatchObject({
      state: "completed",
      result: { status: 204 },
    });
    await until("it has printed the event", () => receiver.printed.includes(`took ${JSON.stringify(event)}`));
  });

  it.each(installed)(
    "refuse one that is signed with another secret, in %s",
    withProcesses,
    async (program, args) => {
      const receiver = await startProgram(program, args, secret.replace("B", "C"));

      expect(await outcome(producer, receiver.url)).toMatchObject({
        error: { message: "The receiver answered 401" },
      });
      expect(receiver.printed).toHaveLength(1);
    },
  );

  async function startProgram(program: string, args: readonly string[], knownSecret: string) {
    const env = { ...process.env, PORT: "0", WEBHOOK_SECRET: knownSecret };
    const child = spawn(program === "node" ? process.execPath : program, args, {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill());
    const printed: string[] = [];
    createInterface({ input: child.stdout }).on("line", (line) => printed.push(line));
    const [, port] = await until("it listens", () => /^listening on (\d+)$/.exec(printed[0] ?? ""), START_MS);
    return { url: `http://127.0.0.1:${port}/`, printed };
  }
});

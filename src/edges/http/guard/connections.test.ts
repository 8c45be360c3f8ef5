import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import fastify from "fastify";
import { describe, expect, it, onTestFinished } from "vitest";
import { latch } from "../../../../test/support/latch.ts";
import { createConnections, refuseConnection } from "./connections.ts";

interface Client {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
}

/** A server that lets three connections wait; it answers `GET /held` once `release()` is called. */
async function serve(requestTimeout = 10_000) {
  const connections = createConnections(3);
  const server = fastify({
    clientErrorHandler: connections.refuse,
    requestTimeout,
    http: { headersTimeout: requestTimeout, connectionsCheckingInterval: 50 },
  });
  const entered = latch();
  const released = latch();
  connections.watch(server);
  server.get("/now", async () => "now");
  server.get("/held", async () => {
    entered.open();
    await released.opened;
    return "held";
  });
  await server.listen({ port: 0, host: "127.0.0.1" });
  onTestFinished(() => server.close());
  const { port } = server.server.address() as AddressInfo;
  const open = async (): Promise<Client> => {
    const socket = connect(port, "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    const closed = once(socket, "close");
    await once(socket, "connect");
    return { socket, closed };
  };
  return { open, entered: entered.opened, release: released.open };
}

const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;

it("a connection with a request is answered however many others wait: the longest waiting are closed", async () => {
  const { open } = await serve();
  const idle: Client[] = [];
  for (let count = 0; count < 20; count++) idle.push(await open());

  const { socket } = await open();
  socket.write(request("/now"));

  expect(await text(socket)).toMatch(/now$/);
  await Promise.all(idle.slice(0, 17).map(({ closed }) => closed));
});

it("a connection whose request is being answered is never closed for others", async () => {
  const { open, entered, release } = await serve();
  const { socket } = await open();
  socket.write(request("/held"));
  const answer = text(socket);
  await entered;
  const idle: Client[] = [];
  for (let count = 0; count < 10; count++) idle.push(await open());
  await idle[0]?.closed;

  release();

  expect(await answer).toMatch(/held$/);
});

it("a connection that was answered before its request was complete gets no second answer when it breaks", async () => {
  const { open } = await serve();
  const { socket } = await open();
  socket.write("GET /now HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
  const [first] = await once(socket, "data");

  socket.end("half");

  expect(String(first)).toMatch(/now$/);
  expect(await text(socket)).toBe("");
});

it("a connection that never sent anything is closed without an answer", async () => {
  const { open } = await serve(150);
  const [silent, halfway] = [await open(), await open()];
  halfway.socket.write("GET /now HTTP/1.1\r\n");

  expect(await text(halfway.socket)).toMatch(/^HTTP\/1.1 408 .*REQUEST_TIMED_OUT/s);
  expect(await text(silent.socket)).toBe("");
});

/** Everything a server answers to these bytes before it closes the connection. */
async function answerTo(sent: string): Promise<string> {
  const waitLimitReached = { requestTimeout: 50, headersTimeout: 50, connectionsCheckingInterval: 10 };
  const server = createServer(waitLimitReached, (request) => void request.on("error", () => {}));
  server.on("clientError", refuseConnection);
  onTestFinished(() => void server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.write(sent);
  return text(socket);
}

describe("a connection without a complete request", () => {
  it.each([
    ["half a head", "POST /jobs HTTP/1.1\r\nHost: x\r\n", 408, "REQUEST_TIMED_OUT"],
    ["half a body", "POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{", 408, "REQUEST_TIMED_OUT"],
    ["something else than HTTP", "\x16\x03\x01 hello\r\n\r\n", 400, "INVALID_REQUEST"],
    ["more headers than anybody needs", `GET / HTTP/1.1\r\nX: ${"x".repeat(20_000)}`, 400, "INVALID_REQUEST"],
  ])("is answered with a problem and closed: %s", async (_, sent, status, code) => {
    const [head = "", body = ""] = (await answerTo(sent)).split("\r\n\r\n");

    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(head).toMatch(/^content-type: application\/problem\+json/im);
    expect(head).toMatch(/^connection: close$/im);
    expect(JSON.parse(body)).toMatchObject({ status, code });
  });
});

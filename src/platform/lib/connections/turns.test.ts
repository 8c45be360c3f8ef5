import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { until } from "../../../../test/support/until.ts";
import { inTurn, onRequestBehind } from "./turns.ts";

const message = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

/** A server that answers when it is told to, and a client that has sent these requests at once. */
async function serve(...paths: readonly string[]) {
  const begun: { readonly request: IncomingMessage; readonly response: ServerResponse }[] = [];
  const all: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    all.push(request);
    inTurn(request, response, () => void begun.push({ request, response }));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => {});
  socket.write(paths.map(message).join(""));
  return {
    begun,
    socket,
    closed,
    paths: () => begun.map(({ request }) => request.url),
    seen: () => all.length,
    all,
  };
}

describe("requests of one connection", () => {
  it("are begun one after the other, in their order", async () => {
    const { begun, socket, paths, seen } = await serve("/1", "/2", "/3");
    await until("all are parsed", () => seen() === 3);
    expect(paths()).toEqual(["/1"]);

    begun[0]?.response.end("first");
    await until("the second is begun", () => begun.length === 2);
    expect(paths()).toEqual(["/1", "/2"]);
    begun[1]?.response.end("second");
    await until("the third is begun", () => begun.length === 3);

    expect(String(socket.read())).toMatch(/first.*second$/s);
  });

  it("are not begun once their client has left", async () => {
    const { begun, socket, paths, seen } = await serve("/1", "/2");
    await until("both are parsed", () => seen() === 2);

    socket.resetAndDestroy();
    const [first] = begun;
    await until("the server has noticed", () => first?.response.destroyed);
    first?.response.end();
    await new Promise(setImmediate);

    expect(paths()).toEqual(["/1"]);
  });

  it("are aborted with no stack, since thousands of stacks would keep others waiting", async () => {
    const { all, socket, seen } = await serve("/1", "/2", "/3");
    await until("all are parsed", () => seen() === 3);
    const stackOf = (error: Error | null | undefined) => error?.stack?.match(/^\s+at /gm) ?? [];

    socket.resetAndDestroy();
    await until("all are aborted", () => all.every(({ errored }) => errored));

    expect(all.map(({ errored }) => stackOf(errored))).toEqual([[], [], []]);
    expect(stackOf(new Error("another"))).not.toEqual([]);
  });

  it("are told to come again on another connection behind one that asks for an upgrade", async () => {
    const { begun, socket, closed } = await serve();
    socket.write(`${message("/1").trimEnd()}\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n${message("/2")}`);
    await until("the first is begun", () => begun.length === 1);

    begun[0]?.response.end();
    let answer = "";
    socket.on("data", (bytes) => {
      answer += bytes;
    });
    await closed;

    expect(answer).toContain("Connection: close");
  });

  it("tell a long one that they wait", async () => {
    const { begun, seen } = await serve("/1", "/2", "/3");
    await until("all are parsed", () => seen() === 3);
    const waiting: unknown[] = [];
    const [first] = begun;
    if (first) onRequestBehind(first.request, ({ url }) => void waiting.push(url));

    expect(waiting).toEqual(["/2", "/3"]);
  });

  it("tell a long one that another has come, until it no longer listens", async () => {
    const { begun, socket, seen } = await serve("/1");
    await until("it is begun", () => begun.length === 1);
    const waiting: unknown[] = [];
    const [first] = begun;
    const stop = first && onRequestBehind(first.request, ({ url }) => void waiting.push(url));

    socket.write(message("/2"));
    await until("the second is parsed", () => seen() === 2);
    stop?.();
    first?.response.end();
    await until("the second is begun", () => begun.length === 2);
    socket.write(message("/3"));
    await until("the third is parsed", () => seen() === 3);

    expect(waiting).toEqual(["/2"]);
  });

  it("close the connection with most of them where they are thousands, also in another's server", async () => {
    const connections = await Promise.all(
      Array.from({ length: 10 }, () => serve(...Array<string>(2_400).fill("/"))),
    );

    await Promise.any(connections.map(({ closed }) => closed));

    await until("the others stay", () => connections.filter(({ socket }) => !socket.destroyed).length > 0);
    for (const { begun } of connections) expect(begun.length).toBeLessThanOrEqual(1);
  });

  it("that came byte by byte are whole, in few pieces", async () => {
    const bytes = Buffer.from(Array.from({ length: 5_000 }, (_, index) => index % 251));
    const { begun, socket } = await serve();
    const chunks = [...bytes].map((byte) => `1\r\n${String.fromCharCode(byte)}\r\n`).join("");
    socket.write(
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
      "latin1",
    );
    await until("it is begun", () => begun.length === 1);

    const pieces: Buffer[] = [];
    for await (const piece of begun[0]?.request ?? []) pieces.push(piece);

    expect(Buffer.concat(pieces)).toEqual(bytes);
    expect(pieces.length).toBeLessThan(50);
  });
});

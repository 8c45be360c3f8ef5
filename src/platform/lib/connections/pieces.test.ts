import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { getDefaultHighWaterMark } from "node:stream";
import { describe, expect, it, onTestFinished } from "vitest";
import { until } from "../../../../test/support/until.ts";
import { discardUnparsed, inTurn, readInPieces } from "./turns.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const uploadOf = (bytes: number) =>
  `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n${"x".repeat(bytes)}`;

interface Begun {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** A server that does this with each request in its turn, and a client. */
async function serve(begin: (begun: Begun) => void) {
  let parsed = 0;
  const server = createServer((request, response) => {
    parsed += 1;
    inTurn(request, response, () => begin({ request, response }));
  });
  server.on("connection", readInPieces);
  const connected = once(server, "connection") as Promise<[Socket]>;
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.on("error", () => {});
  onTestFinished(() => void client.destroy());
  const [accepted] = await connected;
  return { server, client, accepted, parsed: () => parsed };
}

/** What came, until the connection is closed. */
async function readAll(client: Socket): Promise<string> {
  let received = "";
  client.on("data", (bytes) => {
    received += bytes;
  });
  await once(client, "close");
  return received;
}

describe("a connection that is read in pieces", () => {
  it("has few of thousands of requests parsed at once, and each is answered in its turn", async () => {
    let begun = 0;
    let most = 0;
    const { client, parsed } = await serve(({ response }) => {
      most = Math.max(most, parsed() - begun);
      response.setHeader("Connection", ++begun === 5_000 ? "close" : "keep-alive").end(String(begun));
    });

    client.write(GET.repeat(5_000));
    const received = await readAll(client);

    expect([...received.matchAll(/^(\d+)(?:HTTP|$)/gm)].map(([, count]) => Number(count))).toEqual(
      Array.from({ length: 5_000 }, (_, index) => index + 1),
    );
    expect(most).toBeLessThan(100);
  });

  it("is not read on while requests wait that it has sent", async () => {
    const { client, accepted } = await serve(() => {});

    client.write(GET.repeat(500_000));
    await until("the client cannot send more", () => accepted.bytesRead >= 65_536);
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);

    expect(accepted.bytesRead).toBeLessThan(4 * 65_536);
  });

  it("has large bodies whole, and what is behind them", async () => {
    const lengths: number[] = [];
    const { client } = await serve(async ({ request, response }) => {
      let length = 0;
      for await (const piece of request) length += piece.length;
      lengths.push(length);
      if (lengths.length === 3) response.setHeader("Connection", "close");
      response.end();
    });

    client.write(uploadOf(3_000_000) + GET + uploadOf(100_000));
    await readAll(client);

    expect(lengths).toEqual([3_000_000, 0, 100_000]);
  });

  it("goes on behind a body that is thrown away after its answer", async () => {
    const { client } = await serve(({ request, response }) => {
      request.resume();
      setImmediate(() =>
        response.setHeader("Connection", request.method === "GET" ? "close" : "keep-alive").end(),
      );
    });

    client.write(uploadOf(200_000) + GET);

    expect(await readAll(client)).toMatch(/^HTTP.*HTTP.*Connection: close/s);
  });

  it("has its request whole whose client half-closes it", async () => {
    const begun: IncomingMessage[] = [];
    const { client, accepted } = await serve(({ request }) => void begun.push(request));
    // More than Node takes of a body that nobody reads yet.
    const bytes = getDefaultHighWaterMark(false) + 24_000;
    const sent = uploadOf(bytes);

    client.end(sent);
    await until("all is read", () => accepted.bytesRead === sent.length);
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    let length = 0;
    for await (const piece of begun[0] ?? []) length += piece.length;

    expect(length).toBe(bytes);
  });

  it.each([
    ["resets it", (client: Socket) => client.resetAndDestroy()],
    ["half-closes it", (client: Socket) => client.end()],
  ])("is closed at once when its client %s while requests wait", async (_, leave) => {
    const { client, accepted, parsed } = await serve(() => {});
    client.write(GET.repeat(1_000));
    await until("some wait", () => parsed() > 1);

    leave(client);

    await until("the server knows", () => accepted.destroyed || !accepted.writable);
  });

  it("is read to its end behind a stream, with nothing parsed", async () => {
    const { client, accepted, parsed } = await serve(({ request, response }) => {
      response.writeHead(200);
      discardUnparsed(request.socket);
    });
    client.write(GET);
    await until("it streams", () => parsed() === 1);

    client.write(GET.repeat(100_000));
    client.end();

    await until("the server knows", () => !accepted.writable);
    expect(parsed()).toBe(1);
  });

  it("is read to its end behind a stream that begins when much is held", async () => {
    const begun: Begun[] = [];
    const { client, accepted } = await serve((one) => void begun.push(one));
    client.write(GET.repeat(100_000));
    await until("no more is read", () => accepted.bytesRead >= 65_536);
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);

    begun[0]?.response.writeHead(200);
    discardUnparsed(accepted);
    client.resetAndDestroy();

    await until("the server knows", () => accepted.destroyed);
  });

  it("belongs to its next protocol after an upgrade", async () => {
    const { server, client } = await serve(() => {});
    const upgraded = once(server, "upgrade") as Promise<[IncomingMessage, Socket, Buffer]>;
    let received = 0;
    client.on("data", (bytes) => {
      received += bytes.length;
    });

    client.write(
      `GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: b\r\n\r\n${"x".repeat(200_000)}`,
    );
    const [, socket, head] = await upgraded;
    socket.write(head);
    socket.pipe(socket);
    client.write("y".repeat(200_000));

    await until("all came back", () => received === 400_000);
  });
});

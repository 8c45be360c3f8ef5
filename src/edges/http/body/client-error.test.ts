import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { refuseConnection } from "./client-error.ts";

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

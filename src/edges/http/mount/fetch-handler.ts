import { once } from "node:events";
import { request as ask, createServer, type IncomingMessage, type RequestListener } from "node:http";
import { type Duplex, duplexPair, Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { markInMemory } from "./in-memory.ts";

/** About one connection; it says nothing about the message. */
const HOP_BY_HOP = new Set([
  "connection",
  "expect",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
const BODILESS = new Set([101, 204, 205, 304]);

/**
 * Serves a `Request` by a handler of Node's requests, over a connection in memory: answers stream, and a reader who is slow or leaves is
 * noticed as over a network.
 *
 * The returned function rejects if the request is aborted or its connection breaks before an answer.
 */
export function openFetch(handle: RequestListener): (request: Request) => Promise<Response> {
  const server = createServer({ requireHostHeader: false }, handle);

  return async (request) => {
    request.signal.throwIfAborted();
    const { pathname, search, host } = new URL(request.url);
    const asked = ask({
      method: request.method,
      path: pathname + search,
      headers: headersOf(request, host),
      signal: request.signal,
      createConnection: () => connectTo((side) => server.emit("connection", side)),
    });
    const answered = once(asked, "response") as Promise<[IncomingMessage]>;
    if (request.body === null) asked.end();
    // A refusal may come before all of the body was read.
    else void pipeline(Readable.fromWeb(request.body as ReadableStream), asked).catch(() => {});
    const [answer] = await answered;
    asked.on("error", () => {}); // the answer's own stream reports it
    return responseOf(answer, request.method);
  };
}

function headersOf({ headers, body }: Request, host: string): Record<string, string> {
  const end = Object.fromEntries([...headers].filter(([name]) => !HOP_BY_HOP.has(name)));
  const isUnmeasured = body !== null && !headers.has("content-length");
  return { host, ...end, ...(isUnmeasured && { "transfer-encoding": "chunked" }) };
}

function responseOf(answer: IncomingMessage, method: string): Response {
  const { statusCode: status = 500, rawHeaders } = answer;
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    if (!HOP_BY_HOP.has(name.toLowerCase())) headers.append(name, rawHeaders[at + 1] ?? "");
  }
  // The host must not wait for another request where a stream has ended.
  if (headers.get("content-type")?.startsWith("text/event-stream")) headers.set("connection", "close");
  if (method === "HEAD" || BODILESS.has(status)) {
    answer.resume();
    return new Response(null, { status, headers });
  }
  return new Response(Readable.toWeb(answer) as globalThis.ReadableStream, { status, headers });
}

/** A connection in memory. @param accept gets the server's side */
function connectTo(accept: (side: Duplex) => void): Duplex {
  const [client, server] = duplexPair();
  // A side that is destroyed hangs up; one that has ended lets the other read the rest.
  client.on("close", () => client.writableFinished || server.destroy());
  server.on("close", () => server.writableFinished || client.destroy());
  markInMemory(server);
  // Time-outs are the host's.
  accept(Object.assign(server, { setTimeout: () => server }));
  return client;
}

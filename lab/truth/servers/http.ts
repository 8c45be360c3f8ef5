import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, createSecureServer as createSecureHttp2Server } from "node:http2";
import { createServer as createSecureServer } from "node:https";
import type { Server, Socket } from "node:net";
import { text } from "node:stream/consumers";
import { TLSSocket } from "node:tls";
import type { Fault } from "../faults/fault.ts";
import type { Acts } from "./acts.ts";
import { failedAnswer, type GoodAnswer, goodAnswer, keyOf } from "./answers.ts";
import { certificates } from "./certificates.ts";
import { type Downstream, listen, nobodyFor } from "./downstream.ts";

const BUSY_MS = 300;

/** What is no order: it opens a connection, keeps one busy, or is refused. */
const others: Readonly<Record<string, (response: ServerResponse) => void>> = {
  "/warm": (response) => response.end("warm"),
  "/busy": (response) => setTimeout(() => response.end("busy"), BUSY_MS),
  "/refused": (response) => response.writeHead(429).end(),
};

/** One request, read in full. */
export interface HttpExchange {
  readonly goodBody: string;
  /** @default as downstream would */
  succeed(body?: string | Buffer, headers?: OutgoingHttpHeaders): void;
  fail(status: number, headers?: OutgoingHttpHeaders): void;
  /** Answers well, and breaks off in the middle. */
  truncate(): void;
  reset(): void;
  close(): void;
  /** Answers with no HTTP. */
  raw(text: string): void;
}

/** @param library those of `http2` are spoken to in HTTP/2, all others in HTTP/1.1 */
export async function openHttp(fault: Fault<HttpExchange>, library: string, acts: Acts): Promise<Downstream> {
  if (fault.nowhere === "closed port" || fault.nowhere === "unknown host") return nobodyFor(fault.nowhere);
  const isUntrusted = fault.nowhere === "untrusted certificate";
  const isSecure = isUntrusted || fault.isSecure === true;
  const isHttp2 = library.startsWith("http2");
  const server = openServer(isHttp2, isSecure, isUntrusted);
  const sockets = new Set<Socket>();
  const refuses = refuserOf(fault, library, acts);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket.on("error", () => {}));
    socket.once("close", () => sockets.delete(socket));
    // Not before something came: a busy client would read the reset together with the news of its connection.
    if (!fault.acts && fault.answer === undefined) socket.once("readable", () => socket.resetAndDestroy());
  });
  server.on("sessionError", () => {});
  server.on("request", async (request: IncomingMessage, response: ServerResponse) => {
    const body = await text(request).catch(() => undefined);
    if (body === undefined) return;
    const other = others[request.url ?? ""];
    if (other !== undefined) return other(response);
    // A request of HTTP/2 has no socket of its own; its downstream has one connection.
    const socket = isHttp2 ? [...sockets].at(-1) : request.socket;
    const isRefused = refuses(request, body);
    const exchange = socket && exchangeOf({ socket, response, body, library });
    if (isRefused) return exchange?.fail(429, { "retry-after-ms": "10" });
    if (exchange !== undefined) fault.answer?.(exchange);
    if (fault.isThenGone) server.close();
    return undefined;
  });
  const port = await listen(server);
  const stop = async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { host: "127.0.0.1", port, protocol: isSecure ? "https" : "http", stop };
}

/** Acts upon each call, unless it is one of those that are refused. @returns whether it is */
function refuserOf({ acts: isActing, refusesOneIn = 0 }: Fault<HttpExchange>, library: string, acts: Acts) {
  let calls = 0;
  return (request: IncomingMessage, body: string): boolean => {
    calls += 1;
    const isRefused = refusesOneIn > 0 && calls % refusesOneIn === 0;
    if (isActing && !isRefused) acts.act(keyOf(library, request, body));
    return isRefused;
  };
}

function openServer(isHttp2: boolean, isSecure: boolean, isUntrusted: boolean): Server {
  if (!isSecure) return isHttp2 ? createHttp2Server() : createServer();
  const own = certificates().of(isUntrusted ? "untrusted" : "trusted");
  return isHttp2 ? createSecureHttp2Server(own) : createSecureServer(own);
}

interface Asked {
  readonly socket: Socket;
  readonly response: ServerResponse;
  readonly body: string;
  readonly library: string;
}

function exchangeOf({ socket, response, body, library }: Asked): HttpExchange {
  const good: GoodAnswer = goodAnswer(library, body);
  const answer = (status: number, headers: OutgoingHttpHeaders, content: string | Buffer) => {
    const { connection, ...others } = headers;
    const own = library.startsWith("http2") || connection === undefined ? others : headers;
    response.writeHead(status, { "content-length": Buffer.byteLength(content), ...own });
    response.end(content);
  };
  return {
    goodBody: good.body,
    succeed: (content = good.body, headers = {}) =>
      answer(good.status, { ...good.headers, ...headers }, content),
    fail(status, headers = {}) {
      const failed = failedAnswer(library, status);
      answer(status, { ...failed.headers, ...headers }, failed.body);
    },
    truncate() {
      const length = Buffer.byteLength(good.body) + 40;
      response.writeHead(good.status, { ...good.headers, "content-length": length });
      response.write(good.body.slice(0, good.body.length / 2) || " ", () => socket.destroy());
    },
    // What encrypts cannot reset: it closes without saying goodbye.
    reset: () => void (socket instanceof TLSSocket ? socket.destroy() : socket.resetAndDestroy()),
    close: () => void socket.end(),
    raw: (text) => void socket.end(text),
  };
}

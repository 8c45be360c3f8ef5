import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import type { Fault } from "../faults/fault.ts";
import type { Acts } from "./acts.ts";
import { failedAnswer, type GoodAnswer, goodAnswer, keyOf } from "./answers.ts";
import { certificate } from "./certificate.ts";
import { type Downstream, listen, nobodyFor } from "./downstream.ts";

/** One request, read in full. */
export interface HttpExchange {
  readonly goodBody: string | Buffer;
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

export async function openHttp(fault: Fault<HttpExchange>, library: string, acts: Acts): Promise<Downstream> {
  if (fault.nowhere === "closed port" || fault.nowhere === "unknown host") return nobodyFor(fault.nowhere);
  const isSecure = fault.nowhere === "untrusted certificate";
  const server = isSecure ? createSecureServer(certificate()) : createServer();
  const sockets = new Set<Socket>();
  const stop = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  server.on("connection", (socket: Socket) => {
    sockets.add(socket.on("error", () => {}));
    socket.once("close", () => sockets.delete(socket));
    if (!fault.acts && fault.answer === undefined) socket.resetAndDestroy();
  });
  server.on("request", async (request: IncomingMessage, response: ServerResponse) => {
    const body = await text(request).catch(() => undefined);
    if (body === undefined) return;
    if (fault.acts) acts.act(keyOf(library, request, body));
    fault.answer?.(exchangeOf({ request, response, body, library }));
    if (fault.isThenGone) server.close();
  });
  const port = await listen(server);
  return { host: "127.0.0.1", port, protocol: isSecure ? "https" : "http", stop: async () => stop() };
}

interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: string;
  readonly library: string;
}

function exchangeOf({ request, response, body, library }: Asked): HttpExchange {
  const { socket } = request;
  const good: GoodAnswer = goodAnswer(library, body);
  const answer = (status: number, headers: OutgoingHttpHeaders, content: string | Buffer) => {
    response.writeHead(status, { "content-length": Buffer.byteLength(content), ...headers });
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
      response.writeHead(good.status, {
        ...good.headers,
        "content-length": Buffer.byteLength(good.body) + 40,
      });
      response.write(good.body.slice(0, good.body.length / 2), () => socket.destroy());
    },
    reset: () => socket.resetAndDestroy(),
    close: () => socket.end(),
    raw: (text) => socket.end(text),
  };
}

import { createServer, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Fault } from "../faults/fault.ts";
import type { Acts } from "./acts.ts";
import { type Downstream, listen, nobodyFor } from "./downstream.ts";

/** One call, read in full. */
export interface GrpcExchange {
  succeed(): void;
  /** @param details its own, or those that it passes on from a downstream of its own */
  fail(status: number, details?: string): void;
  /** Answers as a proxy does, that knows no gRPC. */
  http(status: number): void;
  /** Answers well, and breaks off in the middle. */
  truncate(): void;
  /** Ends the stream alone, with a code of HTTP/2. */
  end(code: number): void;
  goodbye(): void;
  reset(): void;
  close(): void;
}

export async function openGrpc(
  fault: Fault<GrpcExchange>,
  _library: string,
  acts: Acts,
): Promise<Downstream> {
  if (fault.nowhere !== undefined) return nobodyFor(fault.nowhere);
  const sockets = new Set<Socket>();
  const server = createServer();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket.on("error", () => {}));
    socket.once("close", () => sockets.delete(socket));
    if (!fault.acts && fault.answer === undefined) socket.resetAndDestroy();
  });
  const ofSession = new WeakMap<object, Socket | undefined>();
  server.on("session", (session) =>
    ofSession.set(
      session.on("error", () => {}),
      [...sockets].at(-1),
    ),
  );
  server.on("stream", (stream) => {
    const socket = stream.session === undefined ? undefined : ofSession.get(stream.session);
    stream.on("error", () => {}).resume();
    stream.once("end", () => {
      if (fault.acts) acts.act();
      fault.answer?.(exchangeOf(stream, socket));
      if (fault.isThenGone) server.close();
    });
  });
  const port = await listen(server);
  const stop = async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { host: "127.0.0.1", port, protocol: "http", stop };
}

const head = { ":status": 200, "content-type": "application/grpc" };

function exchangeOf(stream: ServerHttp2Stream, socket: Socket | undefined): GrpcExchange {
  const message = framed(JSON.stringify({ id: "order-1" }));
  return {
    succeed() {
      stream.respond(head, { waitForTrailers: true });
      stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(message);
    },
    fail: (status, details = "no") =>
      stream.respond(
        { ...head, "grpc-status": String(status), "grpc-message": encodeURI(details) },
        { endStream: true },
      ),
    http(status) {
      stream.respond({ ":status": status, "content-type": "text/html" });
      stream.end("<html>sorry</html>");
    },
    truncate() {
      stream.respond(head);
      stream.write(message.subarray(0, 9), () => socket?.destroy());
    },
    end: (code) => stream.close(code),
    goodbye: () => stream.session?.destroy(),
    reset: () => void socket?.resetAndDestroy(),
    close: () => void socket?.destroy(),
  };
}

function framed(text: string): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(Buffer.byteLength(text), 1);
  return Buffer.concat([header, Buffer.from(text)]);
}

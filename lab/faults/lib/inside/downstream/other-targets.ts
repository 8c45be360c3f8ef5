import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Http2Server } from "node:http2";
import { text } from "node:stream/consumers";
import { act } from "./acts.ts";
import type { Move, Order } from "./plan.ts";

/** A server of HTTP/2, which acts, and answers unless it is slow. */
export function createHttp2Target(move: Move): Http2Server {
  const server = createServer();
  server.on("sessionError", () => {});
  server.on("stream", async (stream) => {
    stream.on("error", () => {});
    await act(JSON.parse(await text(stream)) as Order);
    if (move !== "is slow" && !stream.destroyed) stream.respond({ ":status": 200 }, { endStream: true });
  });
  return server;
}

/** Acts on each datagram, and answers none. */
export async function openUdpTarget(): Promise<Socket> {
  const socket = createSocket("udp4").on("message", (body) => void act(JSON.parse(String(body)) as Order));
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

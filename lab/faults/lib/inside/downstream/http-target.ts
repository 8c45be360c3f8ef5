import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import { act, expectAct } from "./acts.ts";
import { actsFirst, type Move, type Order } from "./plan.ts";

interface Exchange {
  readonly order: Order;
  readonly response: ServerResponse;
  readonly socket: Socket;
  readonly server: Server;
  /** Where nobody listens. */
  readonly refusingPort: number;
  /** Orders before it, on whatever connection. */
  readonly before: number;
}

const SLOW_MS = 100;

/** An HTTP server that makes one move at each order. What has none only keeps its client busy. */
export function createHttpTarget(move: Move, refusingPort: number): Server {
  let orders = 0;
  const server = createServer(async (request, response) => {
    const body = await text(request);
    if (body === "") return void setTimeout(() => response.writeHead(204).end(), SLOW_MS);
    const order = JSON.parse(body) as Order;
    if (actsFirst(move)) await act(order);
    else if (move === "acts late") actWhenLeft(request, order);
    const before = orders;
    orders += 1;
    misbehave[move]({ order, response, socket: request.socket, server, refusingPort, before });
  });
  server.on("connection", (socket) => {
    if (move === "resets unread") socket.resetAndDestroy();
    if (move === "closes unread") socket.end();
  });
  server.on("clientError", () => {}); // a client that gave up has closed its connection
  return server;
}

/** Acts when its client has hung up. */
function actWhenLeft({ socket }: IncomingMessage, order: Order): void {
  const expected = expectAct();
  const actNow = () => act(order).finally(expected.finish);
  if (socket.destroyed) void actNow();
  else socket.once("close", actNow);
}

const nothing = () => {};

const misbehave: Record<Move, (exchange: Exchange) => void> = {
  "resets unread": nothing,
  "closes unread": nothing,
  resets: ({ socket }) => socket.resetAndDestroy(),
  closes: ({ socket }) => socket.end(),
  truncates: ({ socket }) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"receipt":'),
  babbles: ({ socket }) => socket.end("EHLO there\r\n"),
  declines: ({ response }) => answer(response, 402, { error: "declined" }),
  limits: ({ response }) => answer(response, 429, { error: "too many" }, { "Retry-After-Ms": "50" }),
  fails: ({ response }) => answer(response, 503, { error: "maintenance" }),
  "fails after": ({ response }) => answer(response, 502, { error: "bad gateway" }),
  "answers HTML": ({ response }) => response.end("<!doctype html><h1>Welcome</h1>"),
  "answers oddly": ({ response }) => answer(response, 200, {}),
  "redirects away": ({ response, refusingPort }) =>
    response.writeHead(307, { Location: `http://127.0.0.1:${refusingPort}/` }).end(),
  "is slow": nothing,
  stalls: ({ response }) => void response.writeHead(200, { "Content-Length": 100 }).write("{"),
  "acts late": nothing,
  "refuses connections": nothing,
  "acts, then refuses": ({ server, socket }) => {
    server.close();
    socket.resetAndDestroy();
  },
  "acts, then declines": ({ response, socket, before }) => {
    if (before === 0) socket.resetAndDestroy();
    else answer(response, 402, { error: "known already" });
  },
  answers: ({ response, order }) => answer(response, 200, { receipt: { id: order.key } }),
};

function answer(response: ServerResponse, status: number, body: object, headers = {}): void {
  response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(body));
}

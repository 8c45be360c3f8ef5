import { createServer, type Server, type Socket } from "node:net";
import { act, expectAct } from "./acts.ts";
import { actsFirst, type Move, type Order } from "./plan.ts";

const SLOW_MS = 100;

/** A mail server that makes one move at each order. A message without one only keeps its client busy. */
export function createMailTarget(move: Move): Server {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    if (move === "resets unread") socket.resetAndDestroy();
    else if (move === "closes unread") socket.end();
    else serve(socket, move, server);
  });
  return server;
}

function serve(socket: Socket, move: Move, server: Server): void {
  let unread = "";
  let isInMessage = false;
  const say = (reply: string) => socket.write(`${reply}\r\n`);

  async function readMessage(message: string): Promise<void> {
    isInMessage = false;
    const order = orderIn(message);
    if (order === undefined) return void setTimeout(() => say("250 accepted"), SLOW_MS);
    if (actsFirst(move)) await act(order);
    else if (move === "acts late") actWhenLeft(socket, order);
    misbehave(socket, move, server);
  }

  function readCommand(line: string): void {
    const verb = line.slice(0, 4).toUpperCase();
    isInMessage = verb === "DATA";
    if (verb === "QUIT") socket.end("221 bye\r\n");
    else say(replies[verb]?.(move, line) ?? "250 ok");
  }

  socket.setEncoding("latin1").on("data", (chunk: string) => {
    unread += chunk;
    for (;;) {
      const end = isInMessage ? "\r\n.\r\n" : "\r\n";
      const at = unread.indexOf(end);
      if (at === -1) return;
      const part = unread.slice(0, at);
      unread = unread.slice(at + end.length);
      if (isInMessage) void readMessage(part);
      else readCommand(part);
    }
  });
  say("220 laboratory");
}

const replies: Record<string, (move: Move, line: string) => string | undefined> = {
  DATA: () => "354 go ahead",
  RCPT: (move, line) => (move === "declines" && !line.includes("warm@") ? "450 mailbox busy" : undefined),
};

function orderIn(message: string): Order | undefined {
  const line = message.split("\r\n").find((each) => each.startsWith("{"));
  return line === undefined ? undefined : (JSON.parse(line) as Order);
}

/** Acts when its client has hung up. */
function actWhenLeft(socket: Socket, order: Order): void {
  const expected = expectAct();
  socket.once("close", () => act(order).finally(expected.finish));
}

function misbehave(socket: Socket, move: Move, server: Server): void {
  if (move === "answers") socket.write("250 accepted\r\n");
  if (move === "limits") socket.write("451 try later\r\n");
  if (move === "resets") socket.resetAndDestroy();
  if (move === "closes") socket.end();
  if (move === "truncates") socket.end("25");
  if (move === "babbles") socket.end("HTTP/1.1 200 OK\r\n\r\n");
  if (move !== "acts, then refuses") return;
  server.close();
  socket.end(); // a pool sends again what was under way then
}

import type { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { Pieces } from "./pieces.ts";

/** What waiting requests may hold, on all connections together. Beyond it, the connection with most of them is closed. */
const MAX_BYTES = 32 * 1024 * 1024;
/** What Node and Fastify hold for a request, besides its text: measured at 3 to 5 KiB. */
const REQUEST_BYTES = 4 * 1024;
/** What Node holds for each name or value of a header, besides its text: measured at 43. */
const HEADER_BYTES = 48;
const JOINED = { pieces: 256, bytes: 4_096 };

/** The requests of one connection that wait for those in front of them. */
interface Queue {
  /** With what each holds, in bytes. */
  readonly requests: Map<IncomingMessage, number>;
  bytes: number;
  /** What is not parsed yet. Undefined where the connection has no network. */
  readonly unparsed: Pieces | undefined;
  onRequestBehind: ((behind: IncomingMessage) => void) | undefined;
}

const queues = new WeakMap<Socket, Queue>();
/** The connections with waiting requests. */
const waiting = new Map<Socket, Queue>();
let waitingBytes = 0;

/** Reads a connection in small pieces. Call it before anything is read; a request does it for the rest of its connection. */
export function readInPieces(socket: Socket): void {
  queueOf(socket);
}

/** Throws away what a connection has sent and sends behind the requests that were parsed. */
export function discardUnparsed(socket: Socket): void {
  queueOf(socket).unparsed?.discard();
}

/**
 * Begins a request when all before it on its connection are answered: clients may pipeline thousands. A request whose client has left by
 * then is never begun.
 *
 * A little of the connection is read meanwhile, because a client that leaves is noticed only so.
 */
export function inTurn(request: IncomingMessage, response: ServerResponse, begin: () => void): void {
  const { socket } = request;
  const queue = queueOf(socket);
  // Node drops what it has read behind such a request, also where nobody upgrades the connection.
  if (request.headers.upgrade !== undefined) response.shouldKeepAlive = false;
  // Node gives a response its socket when it is the next.
  if (response.socket !== null) {
    joinPieces(request, response);
    begin();
    return;
  }
  // What is parsed after the connection was closed is dropped with it.
  if (!socket.destroyed) enqueue(socket, queue, request);
  joinPieces(request, response);
  response.once("socket", () => {
    dequeue(socket, queue, request);
    // Each in a turn of the event loop of its own: thousands of quick answers would keep it from everybody else.
    setImmediate(() => {
      if (!socket.destroyed) begin();
    });
  });
  queue.onRequestBehind?.(request);
}

/**
 * Calls back for each request that waits behind this one, now or later. For answers that take long.
 *
 * @returns stops it
 */
export function onRequestBehind(
  { socket }: Pick<IncomingMessage, "socket">,
  listener: (behind: IncomingMessage) => void,
): () => void {
  const queue = queueOf(socket);
  queue.onRequestBehind = listener;
  for (const request of queue.requests.keys()) listener(request);
  return () => {
    if (queue.onRequestBehind === listener) queue.onRequestBehind = undefined;
  };
}

function queueOf(socket: Socket): Queue {
  const known = queues.get(socket);
  if (known !== undefined) return known;
  const requests = new Map<IncomingMessage, number>();
  const unparsed = socket instanceof Socket ? new Pieces(socket, () => requests.size > 0) : undefined;
  const queue: Queue = { requests, bytes: 0, unparsed, onRequestBehind: undefined };
  queues.set(socket, queue);
  abortWithoutStacks(socket);
  socket.once("close", () => drop(socket, queue));
  return queue;
}

/**
 * Node aborts each waiting request with an error of its own. The stacks, which nobody reads, take 50 µs each: twenty connections with
 * thousands of requests that are reset together would keep the event loop for two seconds.
 */
function abortWithoutStacks(socket: Socket): void {
  let limit: number | undefined;
  const restore = () => {
    if (limit !== undefined) Error.stackTraceLimit = limit;
    limit = undefined;
  };
  socket.prependOnceListener("close", () => {
    limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    // Where a listener throws, those behind it are not called.
    process.nextTick(restore);
  });
  socket.once("close", restore);
}

function enqueue(socket: Socket, queue: Queue, request: IncomingMessage): void {
  const bytes = bytesOf(request);
  queue.requests.set(request, bytes);
  queue.bytes += bytes;
  waiting.set(socket, queue);
  waitingBytes += bytes;
  if (waitingBytes > MAX_BYTES) closeLongest();
}

/**
 * Each piece of a body costs the event loop the same and holds the same, however small it is: a client may send it byte by byte. So those
 * that came together are joined.
 */
function joinPieces(request: IncomingMessage, response: ServerResponse): void {
  if (request.complete || request.headers["transfer-encoding"] === undefined) return;
  const { push, socket } = request;
  let pieces: Buffer[] = [];
  let bytes = 0;
  const flush = (): boolean => {
    const joined = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces, bytes);
    pieces = [];
    bytes = 0;
    return push.call(request, joined);
  };
  // Node empties its queue of ticks after each piece: only an immediate comes after all of them.
  const flushLater = () => pieces.length === 0 || flush() || socket.pause();
  request.push = (piece: Buffer | null) => {
    if (piece === null) {
      if (pieces.length > 0) flush();
      return push.call(request, null);
    }
    bytes += piece.length;
    if (pieces.push(piece) === JOINED.pieces || bytes >= JOINED.bytes) return flush();
    if (pieces.length === 1) setImmediate(flushLater);
    return true;
  };
  // Node throws away what nobody has begun to read, without a push.
  request.read(0);
  response.once("finish", () => request.resume());
}

function dequeue(socket: Socket, queue: Queue, request: IncomingMessage): void {
  const counted = queue.requests.get(request);
  if (counted === undefined) return;
  queue.requests.delete(request);
  queue.bytes -= counted;
  waitingBytes -= counted;
  if (queue.requests.size > 0) return;
  waiting.delete(socket);
  queue.unparsed?.feed();
}

function drop(socket: Socket, queue: Queue): void {
  waitingBytes -= queue.bytes;
  queue.bytes = 0;
  queue.requests.clear();
  queue.onRequestBehind = undefined;
  waiting.delete(socket);
}

function closeLongest(): void {
  const [longest] = [...waiting].sort(([, a], [, b]) => b.bytes - a.bytes);
  if (longest === undefined) return;
  const [socket, queue] = longest;
  drop(socket, queue);
  socket.destroy();
}

function bytesOf({ url = "", rawHeaders }: IncomingMessage): number {
  return rawHeaders.reduce((bytes, text) => bytes + HEADER_BYTES + text.length, REQUEST_BYTES + url.length);
}

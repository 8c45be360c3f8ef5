import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Beyond these, a connection is closed: on one connection some 2,000 requests may wait, and on all together three times as many. */
const MAX_BYTES = { ofOne: 10 * 1024 * 1024, ofAll: 32 * 1024 * 1024 };
/** What Node and Fastify hold for a request, besides its text: measured at 3 to 5 KiB. */
const REQUEST_BYTES = 4 * 1024;
/** What Node holds for each name or value of a header, and for each piece of a body, besides its text: measured at 43 and 187. */
const HEADER_BYTES = 48;
const PIECE_BYTES = 192;
/** What a request costs the event loop until it waits, in microseconds. */
const REQUEST_COST = 32;
const JOINED = { pieces: 256, bytes: 4_096 };

/** What connections may cost in one turn of the event loop, in about microseconds. */
const MOST_OF_A_TURN = 4_096;
/** From so much on, a connection is one of the costly, which wait for each other. */
const COSTLY_FROM = 512;

/** The requests of one connection that wait for those in front of them. */
interface Queue {
  /** With what each holds, in bytes. */
  readonly requests: Map<IncomingMessage, number>;
  bytes: number;
  onRequestBehind: ((behind: IncomingMessage) => void) | undefined;
}

const queues = new WeakMap<Socket, Queue>();
/** The connections with waiting requests. */
const waiting = new Map<Socket, Queue>();
let waitingBytes = 0;

/**
 * Begins a request when all before it on its connection are answered: clients may pipeline thousands. A request whose client has left by
 * then is never begun.
 *
 * The connection is read meanwhile, because a client that leaves is noticed only so.
 */
export function inTurn(request: IncomingMessage, response: ServerResponse, begin: () => void): void {
  // Node gives a response its socket when it is the next.
  if (response.socket !== null) {
    joinPieces(request, response);
    begin();
    return;
  }
  const { socket } = request;
  const queue = queueOf(socket);
  // What is parsed after the connection was closed is dropped with it.
  if (!socket.destroyed) enqueue(socket, queue, request);
  joinPieces(request, response);
  spendTurn(socket, REQUEST_COST);
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
  const queue: Queue = { requests: new Map(), bytes: 0, onRequestBehind: undefined };
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
  queue.requests.set(request, 0);
  waiting.set(socket, queue);
  const count = (bytes: number) => charge(socket, queue, request, bytes);
  countBody(request, count);
  count(bytesOf(request));
}

/** Nothing else tells how many pieces of a body wait: a client may send it byte by byte. */
function countBody(request: IncomingMessage, count: (bytes: number) => void): void {
  const { push } = request;
  request.push = (piece: Buffer | null) => {
    if (piece !== null && request.readableFlowing !== true) count(PIECE_BYTES + piece.length);
    return push.call(request, piece);
  };
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
    spendTurn(socket, pieces.length);
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

/** Counts nothing for a request that no longer waits. */
function charge(socket: Socket, queue: Queue, request: IncomingMessage, bytes: number): void {
  const counted = queue.requests.get(request);
  if (counted === undefined) return;
  queue.requests.set(request, counted + bytes);
  queue.bytes += bytes;
  waitingBytes += bytes;
  if (queue.bytes > MAX_BYTES.ofOne) close(socket, queue);
  else if (waitingBytes > MAX_BYTES.ofAll) closeLongest();
}

function dequeue(socket: Socket, queue: Queue, request: IncomingMessage): void {
  const counted = queue.requests.get(request);
  if (counted === undefined) return;
  queue.requests.delete(request);
  queue.bytes -= counted;
  waitingBytes -= counted;
  if (queue.requests.size === 0) waiting.delete(socket);
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
  if (longest !== undefined) close(...longest);
}

function close(socket: Socket, queue: Queue): void {
  drop(socket, queue);
  socket.destroy();
}

function bytesOf({ url = "", rawHeaders }: IncomingMessage): number {
  return rawHeaders.reduce((bytes, text) => bytes + HEADER_BYTES + text.length, REQUEST_BYTES + url.length);
}

interface Reading {
  cost: number;
  pause(): void;
  resume(): void;
}

const readings = new WeakMap<Socket, Reading>();
const costly = new Set<Reading>();
/** The next to be read first. */
const paused = new Set<Reading>();
let costOfTurn = 0;
let isScheduled = false;

/**
 * Counts what a connection costs the event loop by thousands of small things in one read: pieces of a body, requests behind others. When
 * a turn has cost too much, the costly connections wait: one of them is read in each turn, so that all others are answered meanwhile.
 *
 * @param cost in about microseconds
 */
function spendTurn(socket: Socket, cost: number): void {
  const reading = readings.get(socket) ?? readingOf(socket);
  reading.cost += cost;
  costOfTurn += cost;
  scheduleTurn();
  if (reading.cost < COSTLY_FROM || socket.destroyed) return;
  costly.add(reading);
  if (costOfTurn < MOST_OF_A_TURN || paused.has(reading)) return;
  for (const one of costly) pause(one);
}

function scheduleTurn(): void {
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(() => {
    isScheduled = false;
    costOfTurn = 0;
    const [next] = paused;
    if (next === undefined) return;
    paused.delete(next);
    next.resume();
    scheduleTurn();
  });
}

function pause(reading: Reading): void {
  if (paused.has(reading)) return;
  paused.add(reading);
  reading.pause();
}

/** Node itself pauses and resumes a connection's socket. Meanwhile that is remembered. */
function readingOf(socket: Socket): Reading {
  const { pause, resume } = socket;
  let isPaused = false;
  let isWanted = true;
  const reading: Reading = {
    cost: 0,
    pause() {
      isWanted = !socket.isPaused();
      isPaused = true;
      pause.call(socket);
    },
    resume() {
      isPaused = false;
      if (isWanted) resume.call(socket);
    },
  };
  socket.pause = () => {
    isWanted = false;
    return pause.call(socket);
  };
  socket.resume = () => {
    isWanted = true;
    return isPaused ? socket : resume.call(socket);
  };
  socket.once("close", () => {
    costly.delete(reading);
    paused.delete(reading);
  });
  readings.set(socket, reading);
  return reading;
}

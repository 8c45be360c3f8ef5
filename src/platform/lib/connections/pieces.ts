import type { Socket } from "node:net";

/** Node parses what it has read in one go, and each request in it takes 2 to 5 KiB: 64 KiB can be 2,400 requests. */
const PIECE_BYTES = 2_048;
/** Beyond these, a connection is not read. */
const HELD_MAX = 64 * 1024;
/** What Node holds for each buffer: a client may send byte by byte. */
const BUFFER_BYTES = 192;
/** What pieces may take in one turn of the event loop, all connections together. */
const TURN_MS = 4;

/** The next to be fed first. */
const waiting = new Set<Pieces>();
let spentMs = 0;
let isScheduled = false;

/** What a connection has sent, on its way to the parser: a piece at a time, so that one client's thousands of requests keep nobody waiting. */
export class Pieces {
  readonly #socket: Socket;
  readonly #isParserBusy: () => boolean;
  /** The socket's own. */
  readonly #push: Socket["push"];
  readonly #read: Socket["_read"];
  #held: Buffer[] = [];
  #heldBytes = 0;
  #hasEnded = false;
  #isDiscarded = false;
  #isFeeding = false;
  /** Whether the stream has room. */
  #isWanted = true;

  /** @param isParserBusy whether requests that were parsed wait for others; call `feed` when they no longer do */
  constructor(socket: Socket, isParserBusy: () => boolean) {
    this.#socket = socket;
    this.#isParserBusy = isParserBusy;
    this.#push = socket.push;
    this.#read = socket._read;
    socket.push = (bytes: Buffer | null) => (bytes === null ? this.#end() : this.#add(bytes));
    socket._read = (size) => this.#supply(size);
    socket.on("resume", () => this.feed());
    socket.once("close", () => this.discard());
    // Node's parser reads from the handle, past the stream, until somebody listens.
    const listener = () => {};
    socket.on("data", listener).off("data", listener);
  }

  /** Feeds what may be parsed, at once or when it is this connection's turn. */
  feed(): void {
    if (this.#isFeeding) return;
    while (waiting.size === 0 && spentMs < TURN_MS && this.canFeed()) this.feedOne();
    if (this.canFeed()) waitForTurn(this);
  }

  canFeed(): boolean {
    if (this.#held.length === 0 || !this.#isWanted || this.#socket.destroyed) return false;
    return !this.#socket.isPaused() && !this.#isParserBusy();
  }

  feedOne(): void {
    const piece = this.#next();
    if (piece === undefined) return;
    const begunAt = performance.now();
    this.#isFeeding = true;
    try {
      this.#isWanted = this.#push.call(this.#socket, piece);
    } finally {
      this.#isFeeding = false;
      spentMs += performance.now() - begunAt;
    }
    if (this.#hasEnded && this.#held.length === 0) this.#passEnd();
  }

  /** Throws away what has not been parsed, and what comes. */
  discard(): void {
    this.#isDiscarded = true;
    const hadEnd = this.#hasEnded && this.#held.length > 0;
    this.#held = [];
    this.#heldBytes = 0;
    waiting.delete(this);
    if (hadEnd) this.#passEnd();
    // It may have stopped where too much was held, and a client that leaves is noticed only by reading.
    else if (!this.#hasEnded && !this.#socket.destroyed) this.#read.call(this.#socket, PIECE_BYTES);
  }

  #next(): Buffer | undefined {
    const [first] = this.#held;
    if (first === undefined || !this.canFeed()) return undefined;
    if (first.length <= PIECE_BYTES) {
      this.#held.shift();
      this.#heldBytes -= first.length + BUFFER_BYTES;
      return first;
    }
    this.#held[0] = first.subarray(PIECE_BYTES);
    this.#heldBytes -= PIECE_BYTES;
    return first.subarray(0, PIECE_BYTES);
  }

  #add(bytes: Buffer): boolean {
    if (this.#isDiscarded) return true;
    this.#held.push(bytes);
    this.#heldBytes += bytes.length + BUFFER_BYTES;
    this.feed();
    return this.#heldBytes < HELD_MAX;
  }

  #end(): boolean {
    this.#hasEnded = true;
    if (this.#held.length === 0) this.#passEnd();
    // Nobody waits for the answers to what it has sent.
    else if (this.#isParserBusy()) this.discard();
    return false;
  }

  #passEnd(): void {
    this.#push.call(this.#socket, null);
    this.#socket.read(0);
  }

  /** The stream asks for more. */
  #supply(size: number): void {
    this.#isWanted = true;
    if (this.#heldBytes < HELD_MAX && !this.#hasEnded) this.#read.call(this.#socket, size);
    // What is pushed while the stream reads is not parsed at once, but together.
    if (this.#held.length > 0) process.nextTick(() => this.feed());
  }
}

function waitForTurn(pieces: Pieces): void {
  waiting.add(pieces);
  scheduleTurn();
}

function scheduleTurn(): void {
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(takeTurn);
}

/** One piece of each, again and again. */
function takeTurn(): void {
  isScheduled = false;
  spentMs = 0;
  for (const pieces of waiting) {
    if (spentMs >= TURN_MS) {
      scheduleTurn();
      return;
    }
    waiting.delete(pieces);
    pieces.feedOne();
    if (pieces.canFeed()) waitForTurn(pieces);
  }
}

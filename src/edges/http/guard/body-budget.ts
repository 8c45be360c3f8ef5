import type { IncomingMessage } from "node:http";
import type { FastifyInstance } from "fastify";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";

export interface BodyBounds {
  /** The most that all bodies may hold together, from their first byte to their answer. */
  readonly bytes: number;
  /** So much of each body does not count: small ones are always read. */
  readonly freeBytes: number;
  /** The least time that a client gets to send a body. */
  readonly graceMs: number;
}

const BOUNDS: BodyBounds = { bytes: 32 * 1024 * 1024, freeBytes: 16 * 1024, graceMs: 1_000 };
const RETRY_AFTER_MS = 1_000;

/** A large body's part of the budget. */
export interface Room {
  /** Called once if others need the room before the whole body is there. */
  onRefused: (error: HoldfastError) => void;
  /** @throws HoldfastError `TOO_MANY_BODIES` */
  add(bytes: number): void;
  /** All of it is there. */
  complete(): void;
}

const rooms = new WeakMap<IncomingMessage, Room>();

/** The room that a request's body needs; undefined if it is small. */
export function roomOf(request: IncomingMessage): Room | undefined {
  return rooms.get(request);
}

/**
 * Bounds the bodies that are read or worked on. Beyond it, the unfinished bodies that began first make room, if their clients had the
 * grace; otherwise the one that came last is refused.
 */
export function boundBodies(server: FastifyInstance, bounds: BodyBounds = BOUNDS): void {
  const open = createBudget(bounds);
  server.addHook("preParsing", ({ raw, headers }, reply, payload, done) => {
    const isChunked = headers["transfer-encoding"] !== undefined;
    if (isChunked || Number(headers["content-length"] ?? 0) > bounds.freeBytes) {
      const { room, close } = open();
      rooms.set(raw, room);
      reply.raw.once("close", close).once("finish", close);
    }
    done(null, payload);
  });
}

function createBudget({ bytes: most, freeBytes, graceMs }: BodyBounds) {
  let used = 0;
  /** Unfinished bodies, oldest first, with the time when each began. */
  const unfinished = new Map<OpenRoom, number>();

  function makeRoom(bytes: number): void {
    const now = performance.now();
    for (const [room, since] of unfinished) {
      if (used + bytes <= most || now - since < graceMs) return;
      room.close();
      room.onRefused(tooMany());
    }
  }

  class OpenRoom implements Room {
    onRefused: Room["onRefused"] = () => {};
    #received = 0;
    #counted = 0;
    #isClosed = false;

    add(bytes: number): void {
      if (this.#isClosed) return;
      this.#received += bytes;
      const more = Math.max(0, this.#received - freeBytes) - this.#counted;
      if (used + more > most) makeRoom(more);
      if (this.#isClosed) return;
      if (used + more > most) {
        this.close();
        throw tooMany();
      }
      this.#counted += more;
      used += more;
    }

    complete(): void {
      unfinished.delete(this);
    }

    close(): void {
      this.#isClosed = true;
      used -= this.#counted;
      this.#counted = 0;
      unfinished.delete(this);
    }
  }

  return () => {
    const room = new OpenRoom();
    unfinished.set(room, performance.now());
    return { room, close: () => room.close() };
  };
}

function tooMany(): HoldfastError {
  return new HoldfastError("TOO_MANY_BODIES", "This process holds as many bodies as it may; send it again", {
    retryAfterMs: RETRY_AFTER_MS,
  });
}

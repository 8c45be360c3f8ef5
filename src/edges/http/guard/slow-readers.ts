import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import type { FastifyInstance } from "fastify";

export interface UnreadBounds {
  /** The most that all unread answers may hold together. */
  readonly bytes: number;
  /** The least time that a client gets to read an answer. */
  readonly graceMs: number;
}

const BOUNDS: UnreadBounds = { bytes: 32 * 1024 * 1024, graceMs: 1_000 };
/** Smaller answers fit into the system's socket buffers. */
const COUNTED_FROM = 128 * 1024;

interface Unread {
  readonly bytes: () => number;
  readonly since: number;
}

/**
 * Keeps clients that read slowly, or not at all, from filling the memory. While unread answers hold more than `bytes`
 * together, the connections with the oldest ones are closed. A streamed answer is as old as the latest part that was read.
 */
export function boundUnread(server: FastifyInstance, { bytes: most, graceMs }: UnreadBounds = BOUNDS): void {
  /** Oldest first. */
  const unread = new Map<ServerResponse, Unread>();
  let isDue = false;

  function add(response: ServerResponse, bytes: () => number): void {
    unread.delete(response);
    unread.set(response, { bytes, since: performance.now() });
    checkLater();
  }

  function cutSlowest(): void {
    isDue = false;
    let total = 0;
    for (const { bytes } of unread.values()) total += bytes();
    const now = performance.now();
    for (const [{ req }, { bytes, since }] of unread) {
      if (total <= most || now - since < graceMs) break;
      total -= bytes();
      req.socket.destroy();
    }
    checkLater();
  }

  function checkLater(): void {
    if (isDue || unread.size === 0) return;
    isDue = true;
    setTimeout(cutSlowest, graceMs / 4).unref();
  }

  server.addHook("onSend", (_request, { raw }, payload, done) => {
    const bytes = heldBy(raw, payload);
    if (bytes !== undefined) {
      add(raw, bytes);
      if (payload instanceof Readable) raw.on("drain", () => add(raw, bytes));
      raw.once("close", () => unread.delete(raw));
    }
    done(null, payload);
  });
}

/** How much memory an answer holds; undefined if that is little. */
function heldBy(response: ServerResponse, payload: unknown): Unread["bytes"] | undefined {
  if (payload instanceof Readable) return () => payload.readableLength + response.writableLength;
  const bytes = typeof payload === "string" || Buffer.isBuffer(payload) ? payload.length : 0;
  return bytes < COUNTED_FROM ? undefined : () => bytes;
}

import type { ServerResponse } from "node:http";
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
  readonly bytes: number;
  readonly since: number;
}

/**
 * Keeps clients that read slowly, or not at all, from filling the memory. While unread answers hold more than `bytes`
 * together, the connections with the oldest ones are closed.
 */
export function boundUnread(server: FastifyInstance, { bytes: most, graceMs }: UnreadBounds = BOUNDS): void {
  /** In the order of sending. */
  const unread = new Map<ServerResponse, Unread>();
  let total = 0;
  let isDue = false;

  function release(response: ServerResponse): void {
    total -= unread.get(response)?.bytes ?? 0;
    unread.delete(response);
  }

  function cutSlowest(): void {
    isDue = false;
    const now = performance.now();
    for (const [response, { since }] of unread) {
      if (total <= most || now - since < graceMs) break;
      release(response);
      response.destroy();
    }
    if (total > most) cutLater();
  }

  function cutLater(): void {
    if (isDue) return;
    isDue = true;
    setTimeout(cutSlowest, graceMs / 4).unref();
  }

  server.addHook("onSend", (_request, reply, payload, done) => {
    const bytes = typeof payload === "string" || Buffer.isBuffer(payload) ? payload.length : 0;
    if (bytes >= COUNTED_FROM) {
      const { raw } = reply;
      unread.set(raw, { bytes, since: performance.now() });
      total += bytes;
      raw.once("close", () => release(raw));
      if (total > most) cutLater();
    }
    done(null, payload);
  });
}

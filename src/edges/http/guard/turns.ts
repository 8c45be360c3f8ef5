import type { IncomingMessage } from "node:http";
import type { FastifyInstance } from "fastify";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { discardUnparsed, inTurn, onRequestBehind } from "../../../platform/lib/connections/turns.ts";

/** Begins a connection's requests one after the other, and none that its client has given up. Call it before adding other hooks. */
export function takeTurns(server: FastifyInstance): void {
  server.addHook("onRequest", ({ raw, method }, reply, done) => {
    // Nobody reads it, and it would be held for as long as the answer takes.
    if (method === "GET" || method === "HEAD") raw.resume();
    inTurn(raw, reply.raw, done);
  });
}

/**
 * For a stream, which ends its connection: no request behind it is ever answered. They are read all the same, because a client that
 * leaves is noticed only so.
 */
export function discardRequestsBehind(request: IncomingMessage): void {
  onRequestBehind(request, (behind) => behind.resume());
  discardUnparsed(request.socket);
}

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

/** Does not begin what its client has given up. Call it after adding other hooks. */
export function dropGivenUp(server: FastifyInstance): void {
  server.addHook("preHandler", ({ raw, method }, _reply, done) => {
    const begin = () => done(isGivenUp(raw) ? givenUp() : undefined);
    if (SAFE.has(method)) begin();
    // A client that leaves right after its request is noticed after the event that brought the request: on Node.js 24, one turn later.
    else setImmediate(() => setImmediate(begin));
  });
}

/** Whether the client has left. Some sockets are only like Node's, and know less of themselves. */
export function isGivenUp({ readableAborted, socket }: IncomingMessage): boolean {
  return readableAborted || socket.destroyed || socket.writable === false;
}

/** Nobody reads it. */
function givenUp(): HoldfastError {
  return new HoldfastError("REQUEST_TIMED_OUT", "The client has given up its request; nothing was begun");
}

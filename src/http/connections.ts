import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { headerValues } from "../lib/header-values.ts";
import { refuseAsHttp, refuseConnection } from "./client-error.ts";

/** Far more than clients keep open, and far less than a process may have open. */
const WAITING_MAX = 4_096;
/** When the server closes: how long a connection may still say nothing, and how long the rest of a request may take. */
const STOP_MS = { silent: 500, unsent: 10_000 };

export interface Connections {
  /** Answers what never became a request. */
  readonly refuse: (error: Error & { readonly code?: string }, socket: Socket) => void;
  /** To be called before routes are added. */
  watch(server: FastifyInstance): void;
}

/** Of one connection. */
interface Answers {
  /** In order: clients may send several requests ahead. */
  readonly unsent: Set<ServerResponse>;
  /** To the latest request, sent or not. */
  latest: ServerResponse | undefined;
}

/**
 * Keeps connections that wait for a request, or for the rest of one, from locking out those that bring one: above
 * `waitingMax` the one that has waited longest is closed.
 */
export function createConnections(waitingMax = WAITING_MAX): Connections {
  /** In the order in which they began to wait. */
  const waiting = new Set<Socket>();
  const known = new WeakMap<Socket, Answers>();

  function wait(socket: Socket): void {
    waiting.add(socket);
    if (waiting.size <= waitingMax) return;
    const [longest] = waiting;
    if (longest === undefined) return;
    waiting.delete(longest);
    longest.destroy();
  }

  function meet(socket: Socket): Answers {
    const met = known.get(socket);
    if (met !== undefined) return met;
    const answers: Answers = { unsent: new Set(), latest: undefined };
    known.set(socket, answers);
    socket.on("close", () => waiting.delete(socket));
    return answers;
  }

  return {
    refuse(error, socket) {
      const { unsent, latest } = meet(socket);
      const whole = [...unsent].filter(({ req }) => req.complete);
      // Answered before all of it was there: the rest is nobody's request.
      const early = latest?.writableEnded && !latest.req.complete ? latest : undefined;
      refuseConnection(error, socket, whole.at(-1) ?? early);
    },
    watch(server) {
      server.server.on("connection", (socket: Socket) => {
        meet(socket);
        wait(socket);
      });
      server.addHook("onRequest", ({ raw }, reply, done) => {
        // Where a name stands for several addresses, Fastify has servers of its own for them, and they tell of no connection.
        const answers = meet(raw.socket);
        answers.unsent.add(reply.raw);
        answers.latest = reply.raw;
        done();
      });
      // A request counts once all of it is there.
      server.addHook("preHandler", ({ raw }, _reply, done) => {
        waiting.delete(raw.socket);
        done();
      });
      server.addHook("onResponse", ({ raw: { socket } }, reply, done) => {
        known.get(socket)?.unsent.delete(reply.raw);
        waiting.delete(socket);
        if (!socket.destroyed) wait(socket);
        done();
      });
      server.addHook("preClose", (done) => {
        cutLater(waiting);
        done();
      });
      refuseWithProblems(server);
    },
  };
}

/**
 * From the moment it closes, Node looks at no time-outs of requests any more, and a connection that never sent one does not
 * count as idle: it alone, such as one that a browser opened in advance, would keep the process from ending.
 */
function cutLater(waiting: ReadonlySet<Socket>): void {
  const cut = (isDue: (socket: Socket) => boolean) => {
    for (const socket of [...waiting].filter(isDue)) socket.destroy();
  };
  setTimeout(cut, STOP_MS.silent, ({ bytesRead }: Socket) => bytesRead === 0).unref();
  setTimeout(cut, STOP_MS.unsent, () => true).unref();
}

/** What Node answers by itself, without a word, is answered as a problem like all else. */
function refuseWithProblems(server: FastifyInstance): void {
  server.server.on("checkExpectation", (request, response) =>
    server.server.emit("request", request, response),
  );
  server.server.on("connect", (_request, socket: Socket) => {
    refuseAsHttp(socket, new HoldfastError("METHOD_NOT_ALLOWED", "This is no proxy"));
  });
  server.addHook("onRequest", ({ raw }, _reply, done) => {
    const hosts = headerValues(raw, "host").length;
    const isOld = hosts === 0 && raw.httpVersion === "1.0";
    if (hosts !== 1 && !isOld) done(new HoldfastError("INVALID_REQUEST", "Expected one Host header"));
    else if (headerValues(raw, "content-type").length > 1)
      done(new HoldfastError("INVALID_REQUEST", "Expected one Content-Type header"));
    else done();
  });
}

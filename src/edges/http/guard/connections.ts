import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { readInPieces } from "../../../platform/lib/connections/turns.ts";
import { headerValues } from "../../../platform/lib/hosts.ts";
import { PROBLEM_TYPE } from "../body/problem.ts";

/** More than clients need, and less than the usual limit on open files. */
const WAITING_MAX = 4_096;
/** While stopping: how long a connection may send nothing, and how long the rest of a request may take. */
const STOP_MS = { silent: 500, incomplete: 10_000 };

export interface Connections {
  /** Answers bytes that are not an HTTP request. */
  readonly refuse: (error: Error & { readonly code?: string }, socket: Socket) => void;
  /** Call it before adding routes. */
  watch(server: FastifyInstance): void;
}

interface Answers {
  /** In order: clients may pipeline requests. */
  readonly unsent: Set<ServerResponse>;
  /** To the latest request, sent or not. */
  latest: ServerResponse | undefined;
}

/**
 * Keeps connections without a complete request from locking out others: above `waitingMax`, the one that has waited longest
 * is closed.
 */
export function createConnections(waitingMax = WAITING_MAX): Connections {
  /** Longest waiting first. */
  const waiting = new Set<Socket>();
  const known = new WeakMap<Socket, Answers>();

  function wait(socket: Socket): void {
    waiting.add(socket);
    const [longest] = waiting;
    if (waiting.size <= waitingMax || longest === undefined) return;
    waiting.delete(longest);
    longest.destroy();
  }

  function answersOn(socket: Socket): Answers {
    const found = known.get(socket);
    if (found !== undefined) return found;
    const answers: Answers = { unsent: new Set(), latest: undefined };
    known.set(socket, answers);
    socket.on("close", () => waiting.delete(socket));
    return answers;
  }

  return {
    refuse(error, socket) {
      refuseConnection(error, socket, lastAnswer(answersOn(socket)));
    },
    watch(server) {
      server.server.on("connection", (socket: Socket) => {
        readInPieces(socket);
        answersOn(socket);
        wait(socket);
      });
      server.addHook("onRequest", ({ raw }, reply, done) => {
        // For a host name with several addresses, Fastify adds servers whose connections we do not see.
        const answers = answersOn(raw.socket);
        answers.unsent.add(reply.raw);
        answers.latest = reply.raw;
        done();
      });
      // From here the request is complete.
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
        closeLater(waiting);
        done();
      });
      refuseWithProblems(server);
    },
  };
}

/** The answer that must go out first: the latest to a complete request, or one that was given early. */
function lastAnswer({ unsent, latest }: Answers): ServerResponse | undefined {
  const complete = [...unsent].filter(({ req }) => req.complete);
  const early = latest?.writableEnded && !latest.req.complete ? latest : undefined;
  return complete.at(-1) ?? early;
}

/**
 * Closes connections that would keep a stopping server open: Node no longer checks request time-outs, and does not
 * count a connection that never sent a request as idle.
 */
function closeLater(waiting: ReadonlySet<Socket>): void {
  const close = (isDue: (socket: Socket) => boolean) => {
    for (const socket of [...waiting].filter(isDue)) socket.destroy();
  };
  setTimeout(close, STOP_MS.silent, ({ bytesRead }: Socket) => bytesRead === 0).unref();
  setTimeout(close, STOP_MS.incomplete, () => true).unref();
}

/** Answers with problems what Node would refuse without a body. */
function refuseWithProblems(server: FastifyInstance): void {
  server.server.on("checkExpectation", (request, response) =>
    server.server.emit("request", request, response),
  );
  server.server.on("connect", (_request, socket: Socket) => {
    refuseAsHttp(socket, new HoldfastError("METHOD_NOT_ALLOWED", "This is not a proxy"));
  });
}

/** Refuses requests with several `Host` or `Content-Type` headers, or without the first. */
export function requireOneOfEach(server: FastifyInstance): void {
  server.addHook("onRequest", ({ raw }, _reply, done) => {
    const hosts = headerValues(raw, "host").length;
    const isHttp10 = hosts === 0 && raw.httpVersion === "1.0";
    if (hosts !== 1 && !isHttp10) done(new HoldfastError("INVALID_REQUEST", "Expected one Host header"));
    else if (headerValues(raw, "content-type").length > 1)
      done(new HoldfastError("INVALID_REQUEST", "Expected one Content-Type header"));
    else done();
  });
}

const TIMED_OUT = "ERR_HTTP_REQUEST_TIMEOUT";

/**
 * Answers bytes that are not an HTTP request with a problem, and closes the connection.
 *
 * @param answer to the connection's latest request: it goes out first, so that the problem is not mistaken for it
 */
export function refuseConnection(
  error: Error & { readonly code?: string },
  socket: Socket,
  answer?: ServerResponse,
): void {
  if (error.code === "ECONNRESET" || !socket.writable) socket.destroy();
  // Clients open connections in advance, and would mistake a problem for the answer to their first request.
  else if (error.code === TIMED_OUT && socket.bytesRead === 0) socket.destroy();
  else if (answer === undefined) refuseAsHttp(socket, faultOf(error.code));
  else if (answer.writableFinished) socket.destroySoon();
  else answer.once("close", () => socket.destroySoon());
}

/** Writes a problem to a connection that has no request to answer, and closes it. */
function refuseAsHttp(socket: Socket, error: HoldfastError): void {
  const problem = error.toProblem();
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    `Content-Type: ${PROBLEM_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}

/** @param code Node's error code */
function faultOf(code: string | undefined): HoldfastError {
  if (code === TIMED_OUT)
    return new HoldfastError("REQUEST_TIMED_OUT", "The request did not arrive in time; send it again");
  if (code === "HPE_HEADER_OVERFLOW")
    return new HoldfastError("INVALID_REQUEST", "Expected less than 16 KiB of headers");
  return new HoldfastError("INVALID_REQUEST", "Expected an HTTP request");
}

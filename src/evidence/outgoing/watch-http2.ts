import { subscribe } from "node:diagnostics_channel";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type Http2Session,
  type Http2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { errorCode } from "../error-tree.ts";
import { Departure, type Line, lineOf, type Sender } from "./departure.ts";
import { currentRecord } from "./scope.ts";
import { noteBegun, noteOver, noteUnfollowed } from "./traffic.ts";
import { noteBody, watchBodies } from "./watch-bodies.ts";

type Headers = Readonly<Record<string, unknown>> | readonly unknown[] | undefined;

/** Requests over HTTP/2 of all sessions, also of those that were opened before. Node.js has no channel for them before version 22. */
export function watchHttp2(): void {
  // Undici publishes its own requests.
  subscribe("undici:client:connected", (message) => {
    const line = lineOf((message as { socket: Socket }).socket);
    if (line) ofUndici.add(line);
  });
  const { session: prototype, stream: bodies } = prototypes() ?? {};
  if (prototype === undefined) return;
  const { request } = prototype;
  prototype.request = function (this: ClientHttp2Session, ...args: Parameters<typeof request>) {
    isRequesting = true;
    try {
      const stream = Reflect.apply(request, this, args);
      noteStream(this, stream, args[0] as Headers);
      return stream;
    } finally {
      isRequesting = false;
    }
  };
  if (bodies !== undefined) watchBodies(bodies, noteWritten);
}

/** Without a body, a request ends its stream while it is made. */
let isRequesting = false;
/** Of each request's stream, the effect that began it. */
const owners = new WeakMap<Http2Stream, Sender | undefined>();

function noteWritten(stream: Http2Stream): void {
  const { session } = stream;
  if (isRequesting || session === undefined) return;
  if (session.type === constants.NGHTTP2_SESSION_SERVER) {
    const record = currentRecord();
    if (record !== undefined) noteUnfollowed("a connection that this process accepted", record);
  } else if (!isOfUndici(session)) noteBody(owners.get(stream));
}

function isOfUndici({ socket }: Http2Session): boolean {
  const line = lineOf(socket);
  return line != null && ofUndici.has(line);
}

const ofUndici = new WeakSet<Line>();

/** The classes are not exported: a session without a server has them. */
function prototypes():
  | { readonly session: ClientHttp2Session; readonly stream: ClientHttp2Stream }
  | undefined {
  try {
    const nobody = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    const session = connect("http://localhost", { createConnection: () => nobody });
    session.on("error", () => {});
    const stream = session.request({}).on("error", () => {});
    session.destroy();
    return {
      session: Object.getPrototypeOf(session),
      // That of both ends.
      stream: Object.getPrototypeOf(Object.getPrototypeOf(stream)),
    };
  } catch {
    return undefined;
  }
}

function noteStream(session: ClientHttp2Session, stream: ClientHttp2Stream, headers: Headers): void {
  const line = lineOf(session.socket) ?? undefined;
  if (line !== undefined && ofUndici.has(line)) return;
  const record = currentRecord();
  owners.set(stream, record);
  const departure = new Departure(record, line, {
    kind: "request",
    protocol: session.encrypted ? "https" : "http",
    host: line?.host ?? hostOf(session),
    method: valueIn(headers, ":method") ?? "GET",
    target: valueIn(headers, ":path") ?? "/",
    agent: () => valueIn(headers, "user-agent"),
  });
  if (line?.use !== undefined && !line.use.isRequest && line.use.written === null)
    line.use.record?.remove(line.use);
  if (line !== undefined) line.use = departure;
  record?.add(departure);
  noteBegun(departure);
  const leave = () => {
    departure.markOpen();
    departure.written ??= "part";
  };
  if (stream.pending) stream.once("ready", leave);
  else leave();
  stream.once("response", (answer) => {
    leave();
    departure.status = Number(answer[":status"]);
    noteOver(departure);
  });
  stream.once("close", () => {
    departure.end(endOf(departure, stream));
    noteOver(departure);
  });
}

function endOf({ status, line }: Departure, stream: ClientHttp2Stream): string {
  if (status !== null && stream.rstCode === 0) return "answered";
  const error = stream.errored ?? line?.socket.errored;
  return error ? errorCode(error) : "closed";
}

function hostOf(session: ClientHttp2Session): string {
  const { remoteAddress, remotePort } = session.socket;
  return remoteAddress === undefined ? "unknown" : `${remoteAddress}:${remotePort}`;
}

function valueIn(headers: Headers, name: string): string | undefined {
  const value = isList(headers) ? headers[headers.indexOf(name) + 1 || -1] : headers?.[name];
  return typeof value === "string" ? value : undefined;
}

function isList(headers: Headers): headers is readonly unknown[] {
  return Array.isArray(headers);
}

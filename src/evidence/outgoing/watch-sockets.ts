import { executionAsyncId } from "node:async_hooks";
import { Socket } from "node:net";
import { isOwnSocket } from "../../platform/redis/cluster/own-sockets.ts";
import { Departure, dropLine, type Line, lineOf, openLine } from "./departure.ts";
import { currentRecord } from "./scope.ts";
import { noteClosed, noteUnfollowed } from "./traffic.ts";
import { isOpenedByUndici } from "./undici-pools.ts";
import { watchBodies } from "./watch-bodies.ts";
import { withoutLookups } from "./watch-names.ts";

/** The channel for sockets has neither those of TLS nor those that a pool opened before, so they are watched at their methods. */
export function watchSockets(): void {
  const { connect, _write, _writev, _final } = Socket.prototype;
  watchBodies(Socket.prototype, (socket) => {
    // It is written later, in the context of whoever wrote what is in front of it.
    if (socket.writableLength > 0 && lineOf(socket) !== null) noteWrite(socket);
  });
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]) {
    noteConnection(this, targetOf(args));
    return withoutLookups(() => Reflect.apply(connect, this, args));
  } as typeof connect;
  Socket.prototype._write = function (this: Socket, ...args: Parameters<typeof _write>) {
    if (lineOf(this) !== null && !isFarewell(args[0])) noteWrite(this);
    return Reflect.apply(_write, this, args);
  };
  if (_writev !== undefined)
    Socket.prototype._writev = function (this: Socket, ...args: Parameters<typeof _writev>) {
      if (lineOf(this) !== null) noteWrite(this);
      return Reflect.apply(_writev, this, args);
    };
  if (_final !== undefined)
    Socket.prototype._final = function (this: Socket, ...args: Parameters<typeof _final>) {
      const line = lineOf(this);
      if (line) line.isEndedHere = !this.readableEnded;
      return Reflect.apply(_final, this, args);
    };
}

/** By which a client takes its leave, and which nobody answers: of PostgreSQL, MySQL, SMTP and Redis. */
const FAREWELLS: ReadonlySet<string> = new Set([
  "X\0\0\0\x04",
  "\x01\0\0\0\x01",
  "QUIT\r\n",
  "*1\r\n$4\r\nQUIT\r\n",
]);
const FAREWELL_MAX_BYTES = 14;

function isFarewell(chunk: Buffer | string): boolean {
  if (chunk.length > FAREWELL_MAX_BYTES) return false;
  return FAREWELLS.has((typeof chunk === "string" ? chunk : chunk.toString("latin1")).toUpperCase());
}

function noteConnection(socket: Socket, name: string): void {
  const line = openLine(socket, name, noteClosed);
  line.isOfUndici = isOpenedByUndici(name);
  const record = currentRecord();
  if (record !== undefined && !line.isOfUndici) use(line, record);
}

/** The line carries something of this effect's from now on. */
function use(line: Line, record: ReturnType<typeof currentRecord>): Departure {
  const { protocol, host } = line;
  const departure = new Departure(record, line, { kind: "connection", protocol, host });
  record?.add(departure);
  line.use = departure;
  return departure;
}

function noteWrite(socket: Socket): void {
  const line = lineOf(socket) ?? adopt(socket);
  if (line === undefined || isUnasked(line)) return;
  const { use: known } = line;
  if (known?.isRequest === true && known.ended === null && !known.isTurned) {
    known.markWritten();
    return;
  }
  const record = currentRecord();
  line.noteWrite(record === undefined);
  // What a client does with an answer runs in the context in which the connection was opened: it belongs to the one who asked.
  const goesOn = known?.record?.isRunning === true && (record === undefined || isBeingRead(socket));
  const isSame = known !== undefined && !known.isRequest && known.record === record;
  const departure = goesOn || isSame ? known : use(line, record);
  departure.markWritten();
  if (line.peers.length === 0 && line.isOpen) noteUnfollowed("a socket whose peer cannot be told", record);
}

/** Whether the running code was called with what this socket has just read, in the context of whoever opened it. */
function isBeingRead(socket: Socket & { readonly _handle?: { getAsyncId?(): number } | null }): boolean {
  return socket._handle?.getAsyncId?.() === executionAsyncId();
}

/** Holdfast's own connections are known by their client, which has its socket only once it is made. */
function isUnasked({ socket, use: known }: Line): boolean {
  if (known?.written != null || !isOwnSocket(socket)) return false;
  known?.record?.remove(known);
  dropLine(socket);
  return true;
}

/** Of a socket that was not seen to connect: opened before, made of another one, or accepted by a server of this process. */
function adopt(
  socket: Socket & { readonly server?: unknown; readonly _parent?: Socket | null },
): Line | undefined {
  if (socket.server != null) {
    const record = currentRecord();
    if (record !== undefined) noteUnfollowed("a connection that this process accepted", record);
    return undefined;
  }
  if (isOwnSocket(socket) || isStandardStream(socket)) {
    dropLine(socket);
    return undefined;
  }
  const parent = lineOf(socket._parent);
  const line = openLine(socket, parent?.name, noteClosed);
  if (!parent) return line;
  // It was upgraded: the encrypted one says all that follows.
  const { use: known } = parent;
  if (known !== undefined && !known.isRequest) known.record?.remove(known);
  dropLine(parent.socket);
  return line;
}

interface Target {
  readonly path?: string | null | undefined;
  readonly host?: string | undefined;
  readonly port?: number | string | undefined;
}

/** Reads the arguments of `Socket.connect`: options, a port and a host, a path, or what `net.connect` makes of them. */
export function targetOf([first, second]: readonly unknown[]): string {
  const given: unknown = Array.isArray(first) ? first[0] : first;
  if (typeof given === "string" && !/^\d+$/.test(given)) return given;
  if (typeof given !== "object" || given === null)
    return `${typeof second === "string" ? second : "localhost"}:${given}`;
  const { path, host, port = "" }: Target = given;
  return path ?? `${host || "localhost"}:${port}`;
}

/** In a pipe and in a terminal, what a process prints is written to a socket. */
function isStandardStream({ fd }: Socket & { readonly fd?: unknown }): boolean {
  return fd === 1 || fd === 2;
}

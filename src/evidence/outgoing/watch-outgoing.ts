import { subscribe } from "node:diagnostics_channel";
import type { ClientRequest, IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { isOwnSocket } from "../../platform/redis/cluster/own-sockets.ts";
import { errorCode } from "../error-tree.ts";
import type { Departure, OutgoingRecord } from "./outgoing-record.ts";
import { currentScope, isAnyRunning } from "./scope.ts";

/**
 * Notes what the effects of this process send, each in the record of the effect in whose asynchronous context it happens.
 *
 * HTTP requests are published by Node.js (`diagnostics_channel`). Sockets are watched at their methods, because the channel for sockets has
 * neither those of TLS nor those that a pool opened before. HTTP/2 is not seen, nor what other threads and processes send, nor the `fetch`
 * of other runtimes.
 */
export function watchOutgoing(): void {
  if (isWatching) return;
  isWatching = true;
  watchSockets();
  watchHttp();
  watchUndici();
}

let isWatching = false;

/** Where each socket was asked to connect to. */
const targets = new WeakMap<Socket, string>();
/** What each socket carries at the moment. */
const carried = new WeakMap<Socket, Carried>();
const undiciRequests = new WeakSet<Departure>();

/** When something was last written to a host, by any code; for the latest 1,000 hosts. */
const written = new Map<string, number>();
const WRITTEN_MAX = 1_000;

/** Whether anything was written to one of these hosts since then: a pool or a queue may have written it for this effect. */
export function isWrittenSince(hosts: Iterable<string>, since: number): boolean {
  return [...hosts].some((host) => (written.get(host) ?? Number.NEGATIVE_INFINITY) >= since);
}

function watchSockets(): void {
  const { connect, _write, _writev } = Socket.prototype;
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]) {
    const target = targetOf(args);
    targets.set(this, target);
    const record = currentScope()?.record;
    if (record !== undefined) noteConnection(this, target, record);
    return Reflect.apply(connect, this, args);
  } as typeof connect;
  Socket.prototype._write = function (this: Socket, ...args: Parameters<typeof _write>) {
    if (isAnyRunning()) noteWrite(this);
    return Reflect.apply(_write, this, args);
  };
  if (_writev === undefined) return;
  Socket.prototype._writev = function (this: Socket, ...args: Parameters<typeof _writev>) {
    if (isAnyRunning()) noteWrite(this);
    return Reflect.apply(_writev, this, args);
  };
}

/** What one socket carries, in the record of the effect that uses it. */
interface Carried {
  readonly record: OutgoingRecord;
  readonly departure: Departure;
}

function noteConnection(socket: Socket, host: string, record: OutgoingRecord): void {
  const departure = departureOf(socket, { host, isOpen: false });
  socket.once("close", () => end(departure, socket.errored ?? undefined));
  record.add(departure);
  carried.set(socket, { record, departure });
}

function noteWrite(socket: Socket): void {
  if (isOwnSocket(socket) || isStandardStream(socket)) return;
  const known = carried.get(socket);
  const record = currentScope()?.record;
  whenOpen(socket, () => noteHost(hostOf(socket)));
  // The channels say more of a request of undici.
  if (record === undefined || (known !== undefined && undiciRequests.has(known.departure))) return;
  const isNew = known?.record !== record || known.departure.ended !== null;
  const departure = isNew ? departureOf(socket, { host: hostOf(socket) }) : known.departure;
  departure.written ??= "part";
  if (!isNew) return;
  record.add(departure);
  carried.set(socket, { record, departure });
}

/** In the order of the latest write. */
function noteHost(host: string): void {
  written.delete(host);
  written.set(host, performance.now());
  const [oldest] = written.size > WRITTEN_MAX ? written.keys() : [];
  if (oldest !== undefined) written.delete(oldest);
}

/** It is open when its connection is. */
function departureOf(socket: Socket, known: Pick<Departure, "host"> & Partial<Departure>): Departure {
  const isTls = socket instanceof TLSSocket;
  const isUnix = !socket.remoteAddress && known.host.includes("/");
  const departure: Departure = {
    protocol: isUnix ? "unix" : isTls ? "tls" : "tcp",
    method: null,
    target: "",
    written: null,
    status: null,
    ended: null,
    endedAt: undefined,
    socket,
    isOpen: isConnected(socket),
    ...known,
  };
  if (!departure.isOpen) whenOpen(socket, () => markOpen(departure));
  return departure;
}

function markOpen(departure: Departure): void {
  departure.isOpen = true;
}

/** Before it is open, whatever is written stays in this process. */
function whenOpen(socket: Socket, note: () => void): void {
  if (isConnected(socket)) note();
  else socket.once(socket instanceof TLSSocket ? "secureConnect" : "connect", note);
}

function isConnected(socket: Socket & { readonly secureConnecting?: boolean }): boolean {
  return !socket.pending && socket.secureConnecting !== true;
}

function end(departure: Departure, error: unknown): void {
  departure.ended ??= error === undefined ? "closed" : errorCode(error);
  departure.endedAt ??= performance.now();
}

function watchHttp(): void {
  const requests = new WeakMap<ClientRequest, Departure>();
  subscribe("http.client.request.start", (message) => {
    const { request } = message as { request: ClientRequest };
    const departure = noteRequest(request);
    if (departure !== undefined) requests.set(request, departure);
  });
  subscribe("http.client.response.finish", (message) => {
    const { request, response } = message as { request: ClientRequest; response: IncomingMessage };
    const departure = requests.get(request);
    if (departure === undefined) return;
    departure.status = response.statusCode ?? null;
    response.once("close", () => {
      departure.ended ??= response.complete
        ? "answered"
        : response.errored
          ? errorCode(response.errored)
          : "closed";
      departure.endedAt ??= performance.now();
    });
  });
  subscribe("http.client.request.error", (message) => {
    const { request, error } = message as { request: ClientRequest; error: unknown };
    const departure = requests.get(request);
    if (departure !== undefined) end(departure, error);
  });
}

/** Published once the whole request was handed to its socket. */
function noteRequest(request: ClientRequest): Departure | undefined {
  const { socket } = request;
  const known = socket === null ? undefined : carried.get(socket);
  const record = currentScope()?.record ?? known?.record;
  if (socket === null || record === undefined) return undefined;
  const departure = departureOf(socket, {
    protocol: request.protocol === "https:" ? "https" : "http",
    host: hostOf(socket, request.host),
    method: request.method,
    target: request.path,
    agent: () => textOf(request.getHeader("user-agent")),
    written: "all",
    isOpen: known?.departure.isOpen || isConnected(socket),
  });
  const isRaw = known?.record === record && known.departure.method === null;
  if (isRaw) record.replace(known.departure, departure);
  else record.add(departure);
  carried.set(socket, { record, departure });
  return departure;
}

/** As undici publishes it. */
interface UndiciRequest {
  readonly origin?: string | URL;
  readonly method?: string;
  readonly path: string;
  readonly headers?: unknown;
  readonly body?: unknown;
}

function watchUndici(): void {
  const requests = new WeakMap<UndiciRequest, Carried>();
  const on = (event: string, note: (carried: Carried, message: object) => void) =>
    subscribe(`undici:${event}`, (message) => {
      const known = requests.get((message as { request: UndiciRequest }).request);
      if (known !== undefined) note(known, message as object);
    });
  subscribe("undici:request:create", (message) => {
    const { request } = message as { request: UndiciRequest };
    const record = currentScope()?.record;
    if (record === undefined) return;
    const departure = departureOfUndici(request);
    record.add(departure);
    requests.set(request, { record, departure });
  });
  on("client:sendHeaders", (known, message) => {
    const { request, socket } = message as { request: UndiciRequest; socket: Socket };
    known.departure.isOpen = true;
    known.departure.written = request.body == null ? "all" : "part";
    const connection = carried.get(socket);
    if (connection?.departure.method === null) connection.record.removeUnwritten(connection.departure);
    carried.set(socket, known);
  });
  on("request:bodySent", ({ departure }) => {
    departure.written = "all";
  });
  on("request:headers", ({ departure }, message) => {
    const { response } = message as { response: { readonly statusCode: number } };
    departure.isOpen = true;
    departure.written ??= "part";
    departure.status = response.statusCode;
  });
  on("request:trailers", ({ departure }) => {
    departure.ended ??= "answered";
    departure.endedAt ??= performance.now();
  });
  on("request:error", ({ departure }, message) => end(departure, (message as { error: unknown }).error));
}

function departureOfUndici({ origin, method = "GET", path, headers }: UndiciRequest): Departure {
  const departure: Departure = {
    ...placeOf(String(origin)),
    method,
    target: path,
    agent: () => agentIn(headers),
    written: null,
    isOpen: false,
    status: null,
    ended: null,
    endedAt: undefined,
  };
  undiciRequests.add(departure);
  return departure;
}

type Place = Pick<Departure, "protocol" | "host">;

/** Of each origin: parsing a URL takes longer than all the rest of noting a request. */
const places = new Map<string, Place>();
const PLACES_MAX = 1_000;

function placeOf(origin: string): Place {
  const known = places.get(origin);
  if (known !== undefined) return known;
  if (!URL.canParse(origin)) return { protocol: "http", host: "unknown" };
  const { protocol, hostname, port } = new URL(origin);
  const isTls = protocol === "https:";
  const place: Place = {
    protocol: isTls ? "https" : "http",
    host: `${hostname}:${port || (isTls ? 443 : 80)}`,
  };
  if (places.size < PLACES_MAX) places.set(origin, place);
  return place;
}

/** Headers are one text, or names and values in turn. */
function agentIn(headers: unknown): string | undefined {
  const text = Array.isArray(headers) ? headers.join("\n") : textOf(headers);
  return text && /^user-agent(?:: ?|\n)(.*)$/im.exec(text)?.[1];
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function hostOf(socket: Socket, name?: string): string {
  const target = targets.get(socket);
  if (target !== undefined) return target;
  return `${name ?? socket.remoteAddress ?? "unknown"}:${socket.remotePort ?? "unknown"}`;
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

import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { isoTime } from "../../platform/lib/iso-time.ts";
import { errorCode, NEVER_SENT } from "../error-tree.ts";
import type { Outgoing } from "./outgoing.ts";
import { noteAddress } from "./peers.ts";

type Kind =
  /** A look-up of a name, before any connection. */
  | "lookup"
  /** A connection that carries anything but HTTP. */
  | "connection"
  | "request"
  /** A request of undici, which may go over HTTP/2 and does not say so. */
  | "request of undici";

interface Facts extends Pick<Outgoing, "protocol" | "host"> {
  readonly kind: Kind;
  readonly method?: string;
  /** It turns its connection into something else: a tunnel, or a WebSocket. Undici publishes no answer to it. */
  readonly isUpgrade?: boolean;
  /** As the request has it, with its query. Only `shownPath` may show it. */
  readonly target?: string;
  /** The user agent of the library that sends it. */
  readonly agent?: () => string | undefined;
}

/** What one run of an effect is seen to send. */
export interface Sender {
  readonly identity: object;
  /** Whether the effect's function has not returned yet. */
  readonly isRunning: boolean;
  /** The first way out that it used and that cannot be followed. */
  unfollowed: string | undefined;
  add(departure: Departure): void;
  remove(departure: Departure): void;
}

/** A request, a connection or a look-up on its way. The watchers change it as it goes on. */
export class Departure {
  readonly #facts: Facts;
  readonly #at = Date.now();
  readonly #begun = performance.now();
  /** Of the effect in whose context it began; undefined where that was in none. */
  readonly record: Sender | undefined;
  /** The connection that carries it. */
  line: Line | undefined;
  /** How much was handed over for sending; it leaves once the connection is open. */
  written: Outgoing["sent"] = null;
  status: number | null = null;
  #isOpen = false;
  #ended: string | null = null;
  #endedAt: number | undefined;
  /** How much its connection had read when it was written to last. */
  #readAt = 0;

  constructor(record: Sender | undefined, line: Line | undefined, facts: Facts) {
    this.record = record;
    this.line = line;
    this.#facts = facts;
  }

  get host(): string {
    return this.#facts.host;
  }

  /** Null unless it is a request over HTTP. */
  get method(): string | null {
    return this.#facts.method ?? null;
  }

  get target(): string {
    return this.#facts.target ?? "";
  }

  get agent(): string | undefined {
    return this.#facts.agent?.();
  }

  get isRequest(): boolean {
    return this.#facts.method !== undefined;
  }

  get isLookup(): boolean {
    return this.#facts.kind === "lookup";
  }

  get peers(): string[] {
    const { host } = this.#facts;
    return [...(host.startsWith("unknown") ? [] : [host]), ...(this.line?.peers ?? [])];
  }

  /** When it began, by the process's clock. */
  get begun(): number {
    return this.#begun;
  }

  /** Whether there was a connection on which it could leave. */
  get isOpen(): boolean {
    return this.#isOpen || this.line?.isOpen === true;
  }

  /** A connection ends with its socket; requests have ends of their own. */
  get ended(): string | null {
    return this.#ended ?? (this.#facts.kind === "connection" ? (this.line?.ended ?? null) : null);
  }

  markOpen(): void {
    this.#isOpen = true;
  }

  markWritten(): void {
    this.written ??= "part";
    this.#readAt = this.line?.bytesRead ?? 0;
  }

  /** @param how `answered`, `closed`, or an error's code */
  end(how: string): void {
    this.#ended ??= how;
    this.#endedAt ??= performance.now();
  }

  /** Whether it got an answer, as far as that can be seen: of a connection, that something came back after the last write. */
  get isAnswered(): boolean {
    if (this.isRequest && this.#facts.isUpgrade !== true) return this.status !== null;
    if (this.status !== null) return true;
    return this.written !== null && this.line !== undefined && this.line.bytesRead > this.#readAt;
  }

  /** Whether its connection now carries something else. */
  get isTurned(): boolean {
    return this.#facts.isUpgrade === true && this.isAnswered;
  }

  /** Whether it may still act: it has neither ended nor an answer. A connection also before the first write: somebody is about to use it. */
  get isUnderWay(): boolean {
    return this.ended === null && !this.isAnswered;
  }

  /** Whether it was sent, or may have been, and has ended without an answer. */
  get isLost(): boolean {
    return this.sent !== null && this.ended !== null && !this.isAnswered;
  }

  /** Of HTTP/2 through undici one sees only its answer, or that it has failed. */
  get sent(): Outgoing["sent"] {
    const { kind } = this.#facts;
    if (this.isOpen) return this.written ?? (this.ended === null ? "not seen" : null);
    const mayBeSent = kind === "request of undici" && this.ended !== null && !NEVER_SENT.has(this.ended);
    return mayBeSent ? "not seen" : null;
  }

  shown(): Outgoing {
    const { protocol, host } = this.#facts;
    const { ended, method } = this;
    const endedAt = this.#endedAt ?? (ended === null ? undefined : performance.now());
    return {
      at: isoTime(this.#at),
      protocol,
      host,
      method,
      path: method === null ? null : shownPath(this.target),
      sent: this.sent,
      status: this.status,
      ended,
      afterMs: endedAt === undefined ? null : Math.round(endedAt - this.#begun),
    };
  }
}

/** Long words with digits, and longer ones without: ids and tokens. Some services have the secret in the path. */
const SECRET_LIKE = /^(?=.*\d)(?=.*[A-Za-z]).{20,}$|^[A-Za-z0-9+/=_~%]{24,}$|:/;
const PATH_MAX = 200;

/** The path of a URL or a request target, without query; `…` for what looks like an id or a token. */
function shownPath(target: string): string {
  const path = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, "").replace(/[?#].*$/s, "") || "/";
  const shown = path
    .split("/")
    .map((segment) => (SECRET_LIKE.test(segment) ? "…" : segment))
    .join("/");
  return shown.slice(0, PATH_MAX).toWellFormed();
}

const lineKey = Symbol("holdfast.line");

/** A socket with its line; null where what it carries is no effect's: Holdfast's own, and what a process prints. */
type KnownSocket = Socket & { [lineKey]?: Line | null };

/** The connections that this process has made, until they close. */
export const lines = new Set<Line>();

/** One connection of this process: whom it reaches, and whether what was written to it was answered. */
export class Line {
  readonly socket: Socket;
  /** Host and port as they were asked for, or a path; undefined where nobody saw it. */
  readonly name: string | undefined;
  /** Whether nothing can be read from it, as from a program's standard input: what is written has no answer. Each write is noted as a use. */
  readonly isOneWay: boolean;
  /** What it carries at the moment. */
  use: Departure | undefined;
  isOpen = false;
  /** Whether undici has opened it, for requests that are followed themselves. */
  isOfUndici = false;
  /** Whether something of what was written and not answered came from no running effect. */
  isStray = false;
  /** When something was last written to it that came from no running effect. */
  strayAt: number | undefined;
  /** Whether this side was the first to end it. */
  isEndedHere = false;
  #address: string | undefined;
  #isWritten = false;
  #readAt = 0;

  constructor(socket: Socket, name: string | undefined) {
    this.socket = socket;
    this.name = name;
    this.isOneWay = name === undefined && !socket.readable && socket.bytesRead === 0;
    this.#noteOpen();
    if (!this.isOpen) {
      const noteOpen = () => this.#noteOpen();
      socket.once(socket instanceof TLSSocket ? "secureConnect" : "connect", noteOpen);
    }
  }

  /** Names and addresses by which it can be known; none where it cannot be told. */
  get peers(): string[] {
    this.#noteOpen();
    return [this.name, this.#address].filter((peer) => peer !== undefined);
  }

  /** By which it is shown. */
  get host(): string {
    return this.name ?? this.peers[0] ?? "unknown";
  }

  get protocol(): "tcp" | "tls" | "unix" {
    if (this.name?.includes("/")) return "unix";
    return this.socket instanceof TLSSocket ? "tls" : "tcp";
  }

  /** Whether it ended, and how: `closed`, or an error's code. */
  get ended(): string | null {
    const { destroyed, errored } = this.socket;
    if (!destroyed) return null;
    return errored ? errorCode(errored) : "closed";
  }

  /** How much was read from it so far: anything that comes after the last write answers it. */
  get bytesRead(): number {
    return this.socket.bytesRead;
  }

  noteWrite(isStray: boolean): void {
    const { bytesRead } = this;
    if (bytesRead > this.#readAt) this.isStray = false;
    this.#readAt = bytesRead;
    this.#isWritten = true;
    if (!isStray) return;
    this.isStray = true;
    this.strayAt = performance.now();
  }

  /** Whether something was written, and nothing came back since. */
  get isUnanswered(): boolean {
    return this.#isWritten && this.bytesRead <= this.#readAt;
  }

  /** Whether it was open, and ended before what was written to it was answered. */
  get isLost(): boolean {
    return this.isOpen && this.isUnanswered;
  }

  #noteOpen(): void {
    if (this.isOpen && this.#address !== undefined) return;
    if (!isConnected(this.socket)) return;
    this.isOpen = true;
    const { remoteAddress, remotePort } = this.socket;
    if (remoteAddress !== undefined) this.#address = `${remoteAddress}:${remotePort}`;
  }
}

/** Before it is open, whatever is written stays in this process. */
function isConnected(socket: Socket & { readonly secureConnecting?: boolean }): boolean {
  return !socket.pending && socket.secureConnecting !== true;
}

/** @returns null where the socket's traffic is nobody's; undefined where the socket is new */
export function lineOf(socket: Socket | null | undefined): Line | null | undefined {
  return (socket as KnownSocket | null | undefined)?.[lineKey];
}

/** @param onClose is called once it is closed */
export function openLine(socket: Socket, name: string | undefined, onClose: (line: Line) => void): Line {
  const line = new Line(socket, name);
  (socket as KnownSocket)[lineKey] = line;
  lines.add(line);
  socket.once("close", () => {
    if (lines.delete(line)) onClose(line);
  });
  if (name !== undefined)
    socket.on("lookup", (error: unknown, address: unknown, _family: unknown, host: unknown) => {
      if (!error && typeof address === "string" && typeof host === "string") noteAddress(host, address);
    });
  return line;
}

/** What the socket carries is nobody's from now on. */
export function dropLine(socket: Socket): void {
  const line = lineOf(socket);
  if (line) lines.delete(line);
  (socket as KnownSocket)[lineKey] = null;
}

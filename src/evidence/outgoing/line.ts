import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { errorCode } from "../error-tree.ts";
import type { Departure } from "./departure.ts";
import { noteAddress } from "./peers.ts";

const lineKey = Symbol("holdfast.line");

/** A socket with its line; null where what it carries is no effect's: Holdfast's own, what a process prints, what a server accepted. */
type KnownSocket = Socket & { [lineKey]?: Line | null };

/** The connections that this process has made, until they close. */
export const lines = new Set<Line>();

/** Whether something that was written last and is no longer than this can be the farewell of a protocol: `QUIT`, or PostgreSQL's `X`. */
const FAREWELL_MAX_BYTES = 6;

/** One connection of this process: whom it reaches, and whether what was written to it was answered. */
export class Line {
  readonly socket: Socket;
  /** Host and port as they were asked for, or a path; undefined where nobody saw it. */
  readonly name: string | undefined;
  /** What it carries at the moment. */
  use: Departure | undefined;
  isOpen = false;
  /** Whether something of what was written and not answered came from no running effect. */
  isStray = false;
  /** Whether this side was the first to end it. */
  isEndedHere = false;
  #address: string | undefined;
  #unreadBytes = 0;
  #readAt = 0;

  constructor(socket: Socket, name: string | undefined) {
    this.socket = socket;
    this.name = name;
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

  noteWrite(bytes: number, isStray: boolean): void {
    const { bytesRead } = this;
    if (bytesRead > this.#readAt) {
      this.#unreadBytes = 0;
      this.isStray = false;
    }
    this.#readAt = bytesRead;
    this.#unreadBytes += bytes;
    this.isStray ||= isStray;
  }

  /** Whether something was written, and nothing came back since. */
  get isUnanswered(): boolean {
    return this.#unreadBytes > 0 && this.bytesRead <= this.#readAt;
  }

  /** Whether it was open, and ended before what was written to it was answered. */
  get isLost(): boolean {
    const isFarewell = this.isEndedHere && this.#unreadBytes <= FAREWELL_MAX_BYTES;
    return this.isOpen && this.isUnanswered && !isFarewell;
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

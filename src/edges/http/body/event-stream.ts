import { hash } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { JobStatus } from "../../../core/job/job-status.ts";

export interface EventStreamOptions {
  /** The longest pause between two heartbeats, in milliseconds. @default 15000 */
  readonly heartbeatMs?: number;
  /** A client that reads nothing for this long is disconnected. @default 30000 */
  readonly blockedMaxMs?: number;
}

const HEARTBEAT_MS = 15_000;
const BLOCKED_MAX_MS = 30_000;
const RECONNECT_MS = { from: 1_000, to: 5_000 };

const headers = {
  "Content-Type": "text/event-stream; charset=utf-8",
  // `no-transform` keeps compressing middleware from buffering the stream, the next one nginx.
  "Cache-Control": "no-store, no-transform",
  "X-Accel-Buffering": "no",
  Connection: "close",
};

/** One client's stream of states, as Server-Sent Events. Buffers at most one state beyond what the socket holds. */
export class EventStream<State extends object> {
  readonly #response: ServerResponse;
  readonly #toEvent: (state: State) => string;
  #unsent: State | undefined;
  #blockedSince: number | undefined;

  constructor(response: ServerResponse, toEvent: (state: State) => string, options: EventStreamOptions = {}) {
    const { heartbeatMs = HEARTBEAT_MS, blockedMaxMs = BLOCKED_MAX_MS } = options;
    this.#response = response;
    this.#toEvent = toEvent;
    // Its client has left: no event will end the heartbeat.
    if (response.destroyed) return;
    // Jittered, so that clients that came together spread out.
    const heartbeat = setInterval(() => this.#beat(blockedMaxMs), heartbeatMs * (1 - Math.random() / 5));
    response.on("close", () => clearInterval(heartbeat));
    response.on("drain", () => this.#sendUnsent());
    response.writeHead(200, headers);
    this.#write(`retry: ${reconnectMs()}\n\n`);
  }

  /** Sends a state once the client can read it. Of the states that it could not read yet, only the newest is kept. */
  send(state: State): void {
    if (this.#blockedSince === undefined) this.#write(this.#toEvent(state));
    else this.#unsent = state;
  }

  /** Sends a last text and ends the stream. */
  end(text: string): void {
    if (this.#response.writableEnded || this.#response.destroyed) return;
    this.#blockedSince ??= performance.now();
    this.#response.end(text);
  }

  #write(text: string): void {
    if (this.#response.destroyed) return;
    if (!this.#response.write(text)) this.#blockedSince = performance.now();
  }

  #sendUnsent(): void {
    this.#blockedSince = undefined;
    const state = this.#unsent;
    this.#unsent = undefined;
    if (state !== undefined) this.send(state);
  }

  #beat(blockedMaxMs: number): void {
    if (this.#blockedSince === undefined) this.#write(": heartbeat\n\n");
    else if (performance.now() - this.#blockedSince > blockedMaxMs) this.#response.destroy();
  }
}

export function eventOf(event: string, state: object): string {
  const data = JSON.stringify(state);
  return `id: ${digest(data)}\nevent: ${event}\ndata: ${data}\n\n`;
}

export function statusEvent(status: JobStatus): string {
  return eventOf("status", status);
}

/** The id of a status event. It depends on the content only, so every API process gives the same. */
export function eventIdOf(status: JobStatus): string {
  return digest(JSON.stringify(status));
}

function digest(data: string): string {
  return hash("sha256", data, "base64url").slice(0, 16);
}

/** Jittered, so that the clients of a stopped server do not all reconnect at once. */
function reconnectMs(): number {
  return Math.round(RECONNECT_MS.from + Math.random() * (RECONNECT_MS.to - RECONNECT_MS.from));
}

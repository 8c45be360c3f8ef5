import { hash } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { JobStatus } from "../status/job-status.ts";

export interface EventStreamOptions {
  /** How often a sign of life is sent at least, in milliseconds. @default 15000 */
  readonly heartbeatMs?: number;
  /** A client that takes nothing for so long is cut. @default 30000 */
  readonly blockedMaxMs?: number;
}

const HEARTBEAT_MS = 15_000;
const BLOCKED_MAX_MS = 30_000;
const RECONNECT_MS = { from: 1_000, to: 5_000 };

const headers = {
  "Content-Type": "text/event-stream; charset=utf-8",
  "Cache-Control": "no-store",
  // Proxies collect answers before they pass them on; nginx heeds this.
  "X-Accel-Buffering": "no",
  // The stream's end is the connection's: it was open for long enough.
  Connection: "close",
};

/**
 * One client's stream of the states of something, as Server-Sent Events. What it keeps for the client is bounded: what the
 * socket holds, and one state.
 */
export class EventStream<State extends object> {
  readonly #response: ServerResponse;
  readonly #frameOf: (state: State) => string;
  #unsent: State | undefined;
  #blockedSince: number | undefined;

  /** @param frameOf a state as an event */
  constructor(response: ServerResponse, frameOf: (state: State) => string, options: EventStreamOptions = {}) {
    const { heartbeatMs = HEARTBEAT_MS, blockedMaxMs = BLOCKED_MAX_MS } = options;
    this.#response = response;
    this.#frameOf = frameOf;
    // Shortened at random, so that clients that came together do not keep in step.
    const heartbeat = setInterval(() => this.#beat(blockedMaxMs), heartbeatMs * (1 - Math.random() / 5));
    response.on("close", () => clearInterval(heartbeat));
    response.on("drain", () => this.#sendUnsent());
    response.writeHead(200, headers);
    this.#write(`retry: ${reconnectMs()}\n\n`);
  }

  /** Sends a state as soon as the client can take it; of several that it could not take yet only the newest. */
  tell(state: State): void {
    if (this.#blockedSince === undefined) this.#write(this.#frameOf(state));
    else this.#unsent = state;
  }

  /** Sends a last text, and ends the stream. */
  end(text: string): void {
    if (this.#response.writableEnded) return;
    this.#blockedSince ??= performance.now();
    this.#response.end(text);
  }

  #write(text: string): void {
    if (!this.#response.write(text)) this.#blockedSince = performance.now();
  }

  #sendUnsent(): void {
    this.#blockedSince = undefined;
    const state = this.#unsent;
    this.#unsent = undefined;
    if (state !== undefined) this.tell(state);
  }

  #beat(blockedMaxMs: number): void {
    if (this.#blockedSince === undefined) this.#write(": heartbeat\n\n");
    else if (performance.now() - this.#blockedSince > blockedMaxMs) this.#response.destroy();
  }
}

/** Makes states into events of one name; each is made once for all who are told the same. */
export function framesOf<State extends object>(event: string): (state: State) => string {
  const frames = new WeakMap<State, string>();
  return (state) => {
    const known = frames.get(state);
    if (known !== undefined) return known;
    const frame = eventOf(event, state);
    frames.set(state, frame);
    return frame;
  };
}

export function eventOf(event: string, state: object): string {
  const data = JSON.stringify(state);
  return `id: ${digest(data)}\nevent: ${event}\ndata: ${data}\n\n`;
}

/** A job's status as an event. */
export const frameOf = framesOf<JobStatus>("status");

/** Names a status by its content: whichever process tells it, it has the same id. */
export function eventIdOf(status: JobStatus): string {
  return digest(JSON.stringify(status));
}

function digest(data: string): string {
  return hash("sha256", data, "base64url").slice(0, 16);
}

/** When the server goes away, its clients must not all come back at once. */
function reconnectMs(): number {
  return Math.round(RECONNECT_MS.from + Math.random() * (RECONNECT_MS.to - RECONNECT_MS.from));
}

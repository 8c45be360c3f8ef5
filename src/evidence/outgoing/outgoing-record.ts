import type { Socket } from "node:net";
import { isoTime } from "../../platform/lib/iso-time.ts";
import { errorCode, NEVER_SENT } from "../error-tree.ts";
import { OUTGOING_MAX, type Outgoing, type Seen } from "./outgoing.ts";

/** A request or a connection on its way. The watchers change it as it goes on. */
export interface Departure {
  readonly protocol: Outgoing["protocol"];
  readonly host: string;
  readonly method: string | null;
  /** As the request has it, with its query. Only `shownPath` may show it. */
  readonly target: string;
  /** The user agent of the library that sends it. */
  readonly agent?: () => string | undefined;
  /** How much was handed over for sending; it leaves once the connection is open. */
  written: Outgoing["sent"];
  isOpen: boolean;
  status: number | null;
  ended: string | null;
  endedAt: number | undefined;
  /** Of a connection, or of a request of `node:http`. */
  readonly socket?: Socket | undefined;
}

/** RFC 9110 calls them safe. */
const READS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

/** How an answer ends that is not whole, unless the effect itself stopped reading it. */
const CUT_OFF: ReadonlySet<string | null> = new Set(["truncated", "ECONNRESET", "UND_ERR_SOCKET"]);

interface Entry {
  readonly at: number;
  readonly begun: number;
  departure: Departure;
}

/** What one run of an effect is seen to send. */
export class OutgoingRecord {
  readonly startedAt = performance.now();
  #entries: Entry[] = [];
  #isComplete = true;
  #innerErrors: WeakSet<object> | undefined;

  add(departure: Departure): void {
    if (this.#entries.length === OUTGOING_MAX) {
      this.#isComplete = false;
      return;
    }
    this.#entries.push({ at: Date.now(), begun: performance.now(), departure });
  }

  /** What an effect inside of this one has thrown is not this one's own word. */
  addInnerError(error: object): void {
    this.#innerErrors ??= new WeakSet();
    this.#innerErrors.add(error);
  }

  isOfInnerEffect(error: object): boolean {
    return this.#innerErrors?.has(error) ?? false;
  }

  /** Replaces a connection by the request that it turns out to carry. */
  replace(known: Departure, departure: Departure): void {
    const entry = this.#entries.find((one) => one.departure === known);
    if (entry === undefined) this.add(departure);
    else entry.departure = departure;
  }

  /** A request is about to say more of this connection. */
  removeUnwritten(connection: Departure): void {
    if (connection.written === null)
      this.#entries = this.#entries.filter(({ departure }) => departure !== connection);
  }

  /** Whether connections were attempted, and each failed before anything could leave on it. */
  get hasOnlyFailed(): boolean {
    const all = this.#entries.map(({ departure }) => departure);
    // Of a request over HTTP/2 only its error is seen.
    const hasFailed = ({ isOpen, method, ended }: Departure) =>
      !isOpen && (method === null || NEVER_SENT.has(ended ?? ""));
    return this.#isComplete && all.length > 0 && all.every(hasFailed);
  }

  /** The hosts to which it tried to connect. */
  get hosts(): ReadonlySet<string> {
    return new Set(this.#entries.map(({ departure }) => departure.host));
  }

  /** The request that was sent most often, if it was sent again; reads do not count. */
  mostRepeated(): Repeated | undefined {
    if (this.#entries.length < 2) return undefined;
    const counts = new Map<string, { times: number; agent: string | undefined }>();
    for (const { departure } of this.#entries) {
      const { isOpen, method, host, target, agent } = departure;
      if (!isOpen || method === null || READS.has(method)) continue;
      const key = `${method} ${host}${target.replace(/\?.*/s, "")}`;
      counts.set(key, { times: (counts.get(key)?.times ?? 0) + 1, agent: agent?.() });
    }
    const [most] = [...counts.values()].sort((a, b) => b.times - a.times);
    if (most === undefined || most.times === 1) return undefined;
    const setting = SETTINGS.find(([agent]) => agent.test(most.agent ?? ""))?.[1];
    return { times: most.times, ...(setting !== undefined && { setting }) };
  }

  /** Whether the connection was lost in the middle of an answer that a client took for whole; reads do not count. */
  isAnswerCutOff(): boolean {
    const last = new Map<string, Departure>();
    for (const { departure } of this.#entries) {
      const { method, host, target } = departure;
      if (method !== null && !READS.has(method)) last.set(`${method} ${host}${target}`, departure);
    }
    return [...last.values()].some(({ status, ended }) => status !== null && CUT_OFF.has(ended));
  }

  /** Whether a request was neither answered nor has failed: it may still act. */
  isUnderWay(): boolean {
    return this.#entries
      .map(shown)
      .some(({ method, status, ended }) => method !== null && status === null && ended === null);
  }

  seen(): Seen {
    return { outgoing: this.#withoutConnections().map(shown), isComplete: this.#isComplete };
  }

  /** Without connections of which the entry for their request says more. */
  #withoutConnections(): Entry[] {
    const requested = new Set(
      this.#entries.flatMap(({ departure: { method, host } }) => (method === null ? [] : host)),
    );
    return this.#entries.filter(
      ({ departure: { method, host, written, isOpen } }) =>
        method !== null || (written !== null && isOpen) || !requested.has(host),
    );
  }
}

function shown({ at, begun, departure }: Entry): Outgoing {
  const { protocol, host, method, target, status, socket } = departure;
  // A pool's sockets are not listened to: they would collect listeners.
  const isLost = departure.ended === null && socket?.destroyed === true;
  const ended = isLost ? (socket.errored ? errorCode(socket.errored) : "closed") : departure.ended;
  const endedAt = isLost ? performance.now() : departure.endedAt;
  return {
    at: isoTime(at),
    protocol,
    host,
    method,
    path: method === null ? null : shownPath(target),
    sent: sentOf(departure, ended),
    status,
    ended,
    afterMs: endedAt === undefined ? null : Math.round(endedAt - begun),
  };
}

/** Of HTTP/2 one sees only that its connection is open, or that its request has failed. */
function sentOf({ method, written, isOpen }: Departure, ended: string | null): Outgoing["sent"] {
  if (isOpen) return written ?? "not seen";
  const isUnseen = method !== null && ended !== null && !NEVER_SENT.has(ended);
  return isUnseen ? "not seen" : null;
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

/** A request that a client sent several times. */
interface Repeated {
  readonly times: number;
  /** What switches the client's retries off, where that is known. */
  readonly setting?: string;
}

/** The settings that switch a client's retries off, by its user agent. */
const SETTINGS: readonly (readonly [agent: RegExp, setting: string])[] = [
  [/^stripe\//i, "stripe: { maxNetworkRetries: 0 }; a closed connection it sends again all the same"],
  [/aws-sdk-(js|nodejs)/i, "AWS SDK: { maxAttempts: 1 }"],
  [/^openai/i, "openai: { maxRetries: 0 }"],
  [/anthropic/i, "@anthropic-ai/sdk: { maxRetries: 0 }"],
  [/^got/i, "got: { retry: { limit: 0 } }"],
  [/octokit/i, "octokit: { retry: { enabled: false } }"],
];

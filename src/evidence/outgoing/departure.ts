import { isoTime } from "../../platform/lib/iso-time.ts";
import { NEVER_SENT } from "../error-tree.ts";
import type { Line } from "./line.ts";
import type { Outgoing } from "./outgoing.ts";
import type { OutgoingRecord } from "./outgoing-record.ts";

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
  /** As the request has it, with its query. Only `shownPath` may show it. */
  readonly target?: string;
  /** The user agent of the library that sends it. */
  readonly agent?: () => string | undefined;
}

/** A request, a connection or a look-up on its way. The watchers change it as it goes on. */
export class Departure {
  readonly #facts: Facts;
  readonly #at = Date.now();
  readonly #begun = performance.now();
  /** Of the effect in whose context it began; undefined where that was in none. */
  readonly record: OutgoingRecord | undefined;
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

  constructor(record: OutgoingRecord | undefined, line: Line | undefined, facts: Facts) {
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
    if (this.isRequest) return this.status !== null;
    return this.written !== null && this.line !== undefined && this.line.bytesRead > this.#readAt;
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

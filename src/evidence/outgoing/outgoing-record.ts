import { READS } from "../seen.ts";
import type { Departure, Sender } from "./departure.ts";
import { OUTGOING_MAX, type Seen } from "./outgoing.ts";

/** How an answer ends that is not whole, unless the effect itself stopped reading it. */
const CUT_OFF: ReadonlySet<string | null> = new Set(["truncated", "ECONNRESET", "UND_ERR_SOCKET"]);

/** What one run of an effect is seen to send. */
export class OutgoingRecord implements Sender {
  readonly identity = {};
  readonly startedAt = performance.now();
  /** Whether the effect's function has not returned yet. */
  isRunning = true;
  /** The first way out that it used and that cannot be followed. */
  unfollowed: string | undefined;
  #departures: Departure[] = [];
  /** False where it sent more than is kept. */
  isComplete = true;

  add(departure: Departure): void {
    if (this.#departures.length === OUTGOING_MAX) this.isComplete = false;
    else this.#departures.push(departure);
  }

  remove(departure: Departure): void {
    this.#departures = this.#departures.filter((one) => one !== departure);
  }

  /** Whether it sent anything that can be followed. Most questions about what it sent cost more than the answer then. */
  get isEmpty(): boolean {
    return this.#departures.length === 0;
  }

  /** Whom it reached, or tried to: by names and addresses. */
  get peers(): string[] {
    return this.#departures.flatMap(({ peers }) => peers);
  }

  /** The request that was sent most often, if it was sent again; reads do not count. */
  mostRepeated(): Repeated | undefined {
    if (this.#departures.length < 2) return undefined;
    const counts = new Map<string, { times: number; agent: string | undefined }>();
    for (const { isOpen, method, host, target, agent } of this.#departures) {
      if (!isOpen || method === null || READS.has(method)) continue;
      const key = `${method} ${host}${target.replace(/\?.*/s, "")}`;
      counts.set(key, { times: (counts.get(key)?.times ?? 0) + 1, agent });
    }
    const [most] = [...counts.values()].sort((a, b) => b.times - a.times);
    if (most === undefined || most.times === 1) return undefined;
    const setting = SETTINGS.find(([agent]) => agent.test(most.agent ?? ""))?.[1];
    return { times: most.times, ...(setting !== undefined && { setting }) };
  }

  /** Whether the connection was lost in the middle of an answer that a client took for whole; reads do not count. */
  isAnswerCutOff(): boolean {
    if (this.isEmpty) return false;
    const last = new Map<string, Departure>();
    for (const departure of this.#departures) {
      const { method, host, target } = departure;
      if (method !== null && !READS.has(method)) last.set(`${method} ${host}${target}`, departure);
    }
    return [...last.values()].some(({ status, ended }) => status !== null && CUT_OFF.has(ended));
  }

  /** Whether something was neither answered nor has ended: it may still act. */
  isUnderWay(): boolean {
    return this.#departures.some(({ isUnderWay }) => isUnderWay);
  }

  /** The same of requests over HTTP alone, whose end is always seen. */
  isRequestUnderWay(): boolean {
    return this.#departures.some(({ isRequest, isUnderWay }) => isRequest && isUnderWay);
  }

  seen(): Seen {
    return { outgoing: this.telling().map((departure) => departure.shown()), isComplete: this.isComplete };
  }

  /** Without connections of which the entry for their request says more, and names that were looked up for them. */
  telling(): readonly Departure[] {
    const requested = new Set(this.#departures.flatMap(({ isRequest, host }) => (isRequest ? host : [])));
    const isTelling = ({ isRequest, isLookup, host, written, isOpen }: Departure) =>
      isRequest || (!isLookup && ((written !== null && isOpen) || !requested.has(host)));
    const telling = this.#departures.filter(isTelling);
    return telling.length > 0 ? telling : this.#departures;
  }
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

import { AssertionError } from "node:assert";
import { table } from "../edges/cli/screen/table.ts";
import { END, type OutsideCall, type TraceLine } from "./swept/orders.ts";
import { addressOf } from "./swept/outside-calls.ts";

/** What became of a job whose worker was killed at one boundary. */
export interface SweptBoundary {
  /** Where the worker was killed. @example "after reserve of send" */
  readonly at: string;
  /**
   * `completed`: by the second worker, and nothing happened twice. `repeated`: something did. `in doubt`: a person has to look.
   * `failed`: the second worker could not complete it.
   */
  readonly outcome: "completed" | "repeated" | "in doubt" | "failed";
  /** Why it is in doubt or failed. */
  readonly error?: { readonly code: string; readonly message: string };
  /** Effects that ran in both workers, which their declarations allow: `probe`, or `repeat`. */
  readonly repeatedEffects: readonly string[];
  /** Calls outside of all effects that both workers made. */
  readonly repeatedCalls: readonly RepeatedCall[];
}

export interface RepeatedCall {
  /** @example "POST http://127.0.0.1:4000/charges" @example "connection to 127.0.0.1:1025" */
  readonly call: string;
  /** How often it was made, over both workers. */
  readonly times: number;
}

/** What a handler did in all runs of a sweep. */
export interface SweptDeeds {
  /** Calls outside of all effects, and effects that ran. */
  readonly seen: number;
  /** Effects that are declared `repeat`, and whose function never read its key. */
  readonly keylessEffects: readonly string[];
}

const UNSEEN =
  "Not seen: what goes through connections that were opened before the job, such as a pool's; files; other processes.";

/** What a crash sweep found. `String(report)` is a table of it. */
export class SweepReport {
  readonly type: string;
  readonly boundaries: readonly SweptBoundary[];
  /** Effects that are declared `repeat` and never used their keys: nothing downstream can recognise that they run again. */
  readonly keylessEffects: readonly string[];
  /** Whether the handler did nothing that a sweep can see: then the report proves nothing. */
  readonly sawNothing: boolean;

  constructor(type: string, boundaries: readonly SweptBoundary[], { seen, keylessEffects }: SweptDeeds) {
    this.type = type;
    this.boundaries = boundaries;
    this.keylessEffects = keylessEffects;
    this.sawNothing = seen === 0;
  }

  /** Whether something was seen, every job completed or is in doubt, and nothing was repeated that may not be. */
  get ok(): boolean {
    return !this.sawNothing && this.#isUnharmed;
  }

  get #isUnharmed(): boolean {
    return this.boundaries.every(isSafe) && this.keylessEffects.length === 0;
  }

  /** @throws AssertionError with the report, unless it is `ok` */
  assertSafe(): void {
    if (!this.ok) throw new AssertionError({ message: String(this), operator: "assertSafe" });
  }

  toString(): string {
    const rows = this.boundaries.map((boundary) => [boundary.at, boundary.outcome, notesOn(boundary)]);
    const seen = this.sawNothing ? "nothing seen" : "safe";
    const verdict = this.#isUnharmed ? seen : "NOT SAFE";
    const keyless = this.keylessEffects.map(
      (effect) =>
        `${effect} is declared "repeat" and never used its key: nothing can recognise that it runs again.`,
    );
    const notes = [...keyless, UNSEEN].join("\n");
    return `Crash sweep of ${this.type}: ${verdict}\n\n${table(["killed", "outcome", "notes"], rows)}\n\n${notes}\n`;
  }
}

function isSafe({ outcome, repeatedCalls }: SweptBoundary): boolean {
  return outcome !== "failed" && repeatedCalls.length === 0;
}

function notesOn({ outcome, error, repeatedEffects, repeatedCalls }: SweptBoundary): string {
  return [
    ...repeatedCalls.map(({ call, times }) => `outside of an effect, ${times} times: ${call}`),
    ...repeatedEffects.map((effect) => `${effect} ran again, as declared`),
    ...(outcome === "failed" && error !== undefined ? [`${error.code}: ${error.message}`] : []),
  ].join("; ");
}

/** Calls that do not count. */
interface Uncounted {
  /** Holdfast's own connections go there. */
  readonly storeUrl: string;
  readonly mayRepeat: readonly RegExp[];
}

/** The calls outside of effects that are in both traces. */
export function repeatedCalls(
  first: readonly TraceLine[],
  second: readonly TraceLine[],
  uncounted: Uncounted,
): RepeatedCall[] {
  const before = countedCalls(first, uncounted);
  const after = countedCalls(second, uncounted);
  return [...new Set(before)]
    .filter((call) => after.includes(call))
    .map((call) => ({ call, times: [...before, ...after].filter((other) => other === call).length }));
}

/** The effects whose functions ran in both traces. */
export function repeatedEffects(first: readonly TraceLine[], second: readonly TraceLine[]): string[] {
  const before = effectsIn(first);
  return [...effectsIn(second)].filter((effect) => before.has(effect));
}

/**
 * The boundaries in a trace, in the order in which they were first reached. The end is the last: an attempt does not wait for the reply to
 * its commit.
 */
export function boundariesIn(trace: readonly TraceLine[]): string[] {
  const reached = new Set(trace.flatMap((line) => (line.kind === "boundary" ? [line.at] : [])));
  if (reached.delete(END)) reached.add(END);
  return [...reached];
}

/** How much a handler did that counts: effects, and calls outside of them. */
export function countSeen(trace: readonly TraceLine[], uncounted: Uncounted): number {
  return effectsIn(trace).size + countedCalls(trace, uncounted).length;
}

/** The effects in a trace whose functions never read their keys, by name. */
export function keylessIn(trace: readonly TraceLine[]): string[] {
  const keyed = new Set(trace.flatMap((line) => (line.kind === "key" ? [line.effect] : [])));
  return [...effectsIn(trace)]
    .filter((effect) => !keyed.has(effect))
    .map((effect) => effect.split("/")[0] ?? "");
}

function effectsIn(trace: readonly TraceLine[]): ReadonlySet<string> {
  return new Set(trace.flatMap((line) => (line.kind === "effect" ? [line.effect] : [])));
}

function countedCalls(trace: readonly TraceLine[], { storeUrl, mayRepeat }: Uncounted): string[] {
  const calls = trace.flatMap((line) =>
    line.kind === "call" && line.effect === undefined ? [line.call] : [],
  );
  // The connection of a request is no call of its own.
  const requested = new Set(calls.flatMap(({ kind, address }) => (kind === "request" ? [address] : [])));
  const own = storeAddresses(storeUrl);
  const isCounted = ({ kind, text, address = "", isRead }: OutsideCall) =>
    !(isRead || own.includes(address) || mayRepeat.some((pattern) => text.search(pattern) >= 0)) &&
    !(kind === "connection" && requested.has(address));
  return calls.filter(isCounted).map(({ text }) => text);
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { "sentinel:": 26_379 };

function storeAddresses(url: string): string[] {
  if (url.startsWith("unix://")) return [url.slice("unix://".length)];
  return url.split(",").map((node) => {
    const { protocol, hostname, port } = new URL(node.includes("://") ? node : `redis://${node}`);
    return addressOf(hostname, port || (DEFAULT_PORTS[protocol] ?? 6_379));
  });
}

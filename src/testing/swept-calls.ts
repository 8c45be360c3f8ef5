import type { RepeatedCall } from "./sweep-report.ts";
import type { OutsideCall, TraceLine } from "./swept/orders.ts";
import { END } from "./swept/orders.ts";
import { addressOf } from "./swept/outside-calls.ts";

/** Calls that do not count. */
export interface Uncounted {
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

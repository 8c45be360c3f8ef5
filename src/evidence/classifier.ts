import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { delayMsOf } from "../platform/lib/delay-ms.ts";
import { type ErrorNode, errorCode, errorTree, memberOf, NEVER_SENT, textIn } from "./error-tree.ts";
import type { Seen } from "./outgoing/outgoing.ts";
import { isNothingSent, isRefusal, provesRefusal } from "./seen.ts";

/** What an error proves about an effect: it did not happen, or nothing. */
export type EffectVerdict = "not-done" | "unknown" | NotDone;

/** The effect did not happen, and more is known: when to try again, or that trying again cannot help. */
export interface NotDone {
  readonly verdict: "not-done";
  /** Milliseconds until the next attempt. @default as the retry policy says */
  readonly retryAfterMs?: number | undefined;
  /** The job fails for good. @default false */
  readonly permanent?: boolean | undefined;
}

/**
 * Says what an error proves; `undefined` where it does not recognise the error.
 *
 * It reads an answer that the effect got. So its "not done" counts only if the record agrees: everything that the effect sent was refused, or it
 * is one act, which was answered; all of it has ended, and nothing else in the process speaks against it. Code that knows by itself that the
 * effect did not happen throws a `NotDoneError` instead.
 *
 * @param error as it was thrown
 * @param seen what this effect was seen to send: clients send again by themselves, so the last error alone proves nothing about
 *   the requests before it
 */
export type Classify = (error: unknown, seen: Seen) => EffectVerdict | undefined;

/** What a classifier needs of an error: the node that it recognised, and all nodes. */
interface Recognised {
  readonly node: ErrorNode;
  readonly nodes: readonly ErrorNode[];
  readonly seen: Seen;
}

/**
 * A classifier of the errors of one library, wherever they are wrapped, and of connections that were never made. What Holdfast's own errors say
 * is never overruled, e.g. a `NotDoneError` with such an error as its cause.
 */
export function classifierOf(
  isRecognised: (node: ErrorNode) => boolean,
  verdictOf: (error: Recognised) => EffectVerdict | undefined,
): Classify {
  return (error, seen) => {
    if (isOwn(error)) return undefined;
    const nodes = errorTree(error);
    const node = nodes.find(isRecognised);
    return (node && verdictOf({ node, nodes, seen })) ?? verdictOnConnection(nodes, seen);
  };
}

/** A connection that was never made is the system's error, which is the same for every library. */
function verdictOnConnection(nodes: readonly ErrorNode[], seen: Seen): EffectVerdict | undefined {
  if (!nodes.some(isNeverMade)) return undefined;
  return isNothingSent(seen) ? "not-done" : "unknown";
}

function isNeverMade(node: ErrorNode): boolean {
  return textIn(node, "syscall") === "connect" || NEVER_SENT.has(errorCode(node));
}

/** No answer came: the system's error inside says why. Without one it is a time-out, an abort or an answer that cannot be read. */
export function verdictWithoutAnswer({ nodes }: Recognised): EffectVerdict | undefined {
  return nodes.some((one) => /^[A-Z][A-Z0-9_]+$/.test(textIn(one, "code"))) ? undefined : "unknown";
}

/** An answer over HTTP. */
export interface Answer {
  readonly status: number;
  readonly headers: unknown;
}

/** What an answer proves beside everything else that the effect sent. */
export function verdictOfAnswer(
  { status, headers }: Answer,
  seen: Seen,
  known: Omit<NotDone, "verdict"> = {},
): EffectVerdict {
  if (!isRefusal(status) || !provesRefusal(status, seen)) return "unknown";
  return notDone({ retryAfterMs: retryAfterMs(headers), ...known });
}

/** The verdict in its shortest form. */
export function notDone({ retryAfterMs, permanent }: Omit<NotDone, "verdict"> = {}): EffectVerdict {
  if (permanent === true) return { verdict: "not-done", permanent };
  return retryAfterMs === undefined ? "not-done" : { verdict: "not-done", retryAfterMs };
}

/** Whether it is Holdfast's own error. A proxy may throw when it is asked. */
export function isOwn(error: unknown): error is HoldfastError {
  try {
    return error instanceof HoldfastError;
  } catch {
    return false;
  }
}

/** Whether an error has a member, also an undefined one. */
export function has(node: ErrorNode, name: string): boolean {
  try {
    return name in node;
  } catch {
    return false;
  }
}

/**
 * Asks classifiers in turn; the first that recognises the error decides.
 *
 * @example combine(stripe, http)
 */
export function combine(first: Classify, ...others: readonly Classify[]): Classify {
  return (error, seen) => {
    for (const classify of [first, ...others]) {
      const verdict = classify(error, seen);
      if (verdict !== undefined) return verdict;
    }
    return undefined;
  };
}

const SECOND_MS = 1_000;

/** When an answer asks to be tried again (RFC 9110, 10.2.3), in milliseconds; undefined where it does not say, or not readably. */
export function retryAfterMs(headers: unknown, now = Date.now()): number | undefined {
  const exact = number(header(headers, "retry-after-ms"));
  if (exact !== undefined) return delayMsOf(exact);
  const text = header(headers, "retry-after");
  const seconds = number(text);
  if (seconds !== undefined) return delayMsOf(seconds * SECOND_MS);
  const at = /[a-z]{3}.*\d{4}/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : delayMsOf(at - now);
}

/** One header of a `Headers`, of an object like it, or of a plain object in any case; empty where it is absent. */
export function header(headers: unknown, name: string): string {
  const value = viaGet(headers, name) ?? memberOf(headers, ownName(headers, name));
  const first = Array.isArray(value) ? value[0] : value;
  return typeof first === "string" || typeof first === "number" ? String(first).trim() : "";
}

function viaGet(headers: unknown, name: string): unknown {
  const get = memberOf(headers, "get");
  try {
    return typeof get === "function" ? Reflect.apply(get, headers, [name]) : undefined;
  } catch {
    return undefined;
  }
}

function ownName(headers: unknown, name: string): string {
  try {
    return Object.keys(headers ?? {}).find((own) => own.toLowerCase() === name) ?? name;
  } catch {
    return name;
  }
}

function number(text: string): number | undefined {
  return /^\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : undefined;
}

/**
 * The effect is one connection of its own, and nothing else. A connection that was never made (refused, no such host, a certificate that was
 * refused, a time-out while connecting) has sent nothing, so it is not done. All other errors are left to others.
 *
 * Every classifier knows this. Declare this one for a library that has none of its own.
 *
 * @example { timeoutMs: 10_000, inDoubt: "hold", classify: connection }
 */
export const connection: Classify = classifierOf(
  () => false,
  () => undefined,
);

import type { Classify, EffectVerdict, NotDone } from "../core/job/effect.ts";
import type { Seen } from "../core/job/outgoing.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { type ErrorNode, errorTree, textIn } from "./error-tree.ts";
import { retryAfterMs } from "./retry-after.ts";
import { isRefusal, provesRefusal } from "./seen.ts";

/** What of an error a classifier needs: the node that it recognised, and all nodes. */
export interface Recognised {
  readonly node: ErrorNode;
  readonly nodes: readonly ErrorNode[];
  readonly seen: Seen;
}

/**
 * A classifier of the errors of one library, wherever they are wrapped. What Holdfast's own errors say is never overruled, e.g. a
 * `NotDoneError` with such an error as its cause.
 */
export function classifierOf(
  isRecognised: (node: ErrorNode) => boolean,
  verdictOf: (error: Recognised) => EffectVerdict | undefined,
): Classify {
  return (error, seen) => {
    if (isOwn(error)) return undefined;
    const nodes = errorTree(error);
    const node = nodes.find(isRecognised);
    return node && verdictOf({ node, nodes, seen });
  };
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

/** As short as it can be said. */
export function notDone({ retryAfterMs, permanent }: Omit<NotDone, "verdict"> = {}): EffectVerdict {
  if (permanent === true) return { verdict: "not-done", permanent };
  return retryAfterMs === undefined ? "not-done" : { verdict: "not-done", retryAfterMs };
}

/**
 * No answer came. Whether the connection was never made can be seen from the system's error inside, which is the same for every library;
 * without one it is a time-out, an abort or an answer that cannot be read.
 */
export function verdictWithoutAnswer({ nodes }: Recognised): EffectVerdict | undefined {
  return nodes.some((one) => /^[A-Z][A-Z0-9_]+$/.test(textIn(one, "code"))) ? undefined : "unknown";
}

/** Holdfast's own error. A proxy may throw when it is asked. */
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

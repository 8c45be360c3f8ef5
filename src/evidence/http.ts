import type { HoldfastError } from "../platform/errors/holdfast-error.ts";
import type { Classify } from "./classifier.ts";
import { classifierOf, isOwn, verdictOfAnswer } from "./classifier.ts";
import { type ErrorNode, memberOf } from "./error-tree.ts";
import { provesRefusal } from "./seen.ts";

/**
 * Any HTTP client: axios, got, ky, `fetch` (throw an error whose `cause` is the `Response`), undici, `holdfast/client`.
 *
 * 4xx is refused, so not done; with `Retry-After` it is tried again then. 408, 409, 423, 425, 499 and everything else is unknown. A refusal
 * counts only if everything else that the effect was seen to send was refused, never sent, or only read.
 */
export const http: Classify = (error, seen) =>
  isOwn(error) ? ofHoldfast(error, seen) : ofAnyClient(error, seen);

const ofAnyClient = classifierOf(
  (node) => statusOf(node) !== undefined,
  ({ node, seen }) => verdictOfAnswer({ status: statusOf(node) ?? 0, headers: headersOf(node) }, seen),
);

/** `holdfast/client` throws the same class as an effect that says itself what it means: only a refusal that was seen counts. */
const ofHoldfast = (error: HoldfastError, seen: Parameters<Classify>[1]) =>
  error.statusCode < 500 && provesRefusal(error.statusCode, seen)
    ? verdictOfAnswer({ status: error.statusCode, headers: undefined }, seen, {
        retryAfterMs: error.retryAfterMs,
      })
    : undefined;

/** The status of an answer, as a client's error or a `Response` has it. That of our own errors says how a server should answer. */
export function statusOf(node: ErrorNode): number | undefined {
  if (isOwn(node)) return undefined;
  return [memberOf(node, "status"), memberOf(node, "statusCode")].find(isStatus);
}

export function headersOf(node: ErrorNode): unknown {
  return memberOf(node, "headers") ?? memberOf(node, "response", "headers");
}

function isStatus(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 100 && Number(value) <= 599;
}

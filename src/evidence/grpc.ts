import type { Classify, EffectVerdict } from "./classifier.ts";
import { classifierOf } from "./classifier.ts";
import { type ErrorNode, memberOf, textIn } from "./error-tree.ts";
import { isNothing, isOneConnection } from "./seen.ts";

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const FAILED_PRECONDITION = 9;
const OUT_OF_RANGE = 11;
const UNIMPLEMENTED = 12;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

const REFUSED: ReadonlySet<unknown> = new Set([
  INVALID_ARGUMENT,
  NOT_FOUND,
  PERMISSION_DENIED,
  RESOURCE_EXHAUSTED,
  FAILED_PRECONDITION,
  OUT_OF_RANGE,
  UNIMPLEMENTED,
  UNAUTHENTICATED,
]);
/** What the client itself says of an answer that it cannot use, with the same codes. */
const ANSWERED =
  /^(Received message|No message received|Too (many|few) responses|Not enough responses|Bandwidth exhausted|Protocol not secure)/;
const NEVER_CONNECTED = /\bNo connection established\b|^Name resolution failed\b/;

/**
 * `@grpc/grpc-js`, one unary call without a retry policy in its service config. What the server refuses is not done: INVALID_ARGUMENT,
 * NOT_FOUND, PERMISSION_DENIED, UNAUTHENTICATED, FAILED_PRECONDITION, OUT_OF_RANGE, UNIMPLEMENTED, RESOURCE_EXHAUSTED. So is UNAVAILABLE
 * where no connection was established. Everything else is unknown.
 *
 * Calls over HTTP/2 are not seen, so nothing shows that a client sent one again: set no retry policy.
 */
export const grpc: Classify = classifierOf(isOfGrpc, ({ node, seen }): EffectVerdict => {
  const details = textIn(node, "details");
  const code = memberOf(node, "code");
  const isRefused = REFUSED.has(code) && !ANSWERED.test(details) && isOneConnection(seen);
  const isNeverSent = code === UNAVAILABLE && NEVER_CONNECTED.test(details) && isNothing(seen);
  return isRefused || isNeverSent ? "not-done" : "unknown";
});

function isOfGrpc(node: ErrorNode): boolean {
  const code = memberOf(node, "code");
  const isCode = Number.isInteger(code) && Number(code) >= 1 && Number(code) <= 16;
  return (
    isCode && typeof memberOf(node, "details") === "string" && typeof memberOf(node, "metadata") === "object"
  );
}

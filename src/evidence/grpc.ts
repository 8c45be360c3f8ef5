import type { Classify, EffectVerdict } from "./classifier.ts";
import { classifierOf } from "./classifier.ts";
import { type ErrorNode, memberOf, textIn } from "./error-tree.ts";
import { isNothingSent, isOneCall } from "./seen.ts";

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

/**
 * `@grpc/grpc-js`, one unary call without a retry policy in its service config. What the server refuses is not done: INVALID_ARGUMENT,
 * NOT_FOUND, PERMISSION_DENIED, UNAUTHENTICATED, FAILED_PRECONDITION, OUT_OF_RANGE, UNIMPLEMENTED, RESOURCE_EXHAUSTED. So is UNAVAILABLE
 * where the effect was seen to try a connection and none was made. Everything else is unknown.
 *
 * What the error says of connections proves nothing: a server passes on what its own client said. While a channel that failed waits before it tries
 * again, no connection is tried, so that a call leaves a doubt: make a client for each call, or declare a probe.
 */
export const grpc: Classify = classifierOf(isOfGrpc, ({ node, seen }): EffectVerdict => {
  const code = memberOf(node, "code");
  const isRefused = REFUSED.has(code) && !ANSWERED.test(textIn(node, "details")) && isOneCall(seen);
  const isNeverSent = code === UNAVAILABLE && isNothingSent(seen);
  return isRefused || isNeverSent ? "not-done" : "unknown";
});

function isOfGrpc(node: ErrorNode): boolean {
  const code = memberOf(node, "code");
  const isCode = Number.isInteger(code) && Number(code) >= 1 && Number(code) <= 16;
  return (
    isCode && typeof memberOf(node, "details") === "string" && typeof memberOf(node, "metadata") === "object"
  );
}

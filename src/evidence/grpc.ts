import type { Classify, EffectVerdict } from "../job/effect.ts";
import { classifierOf } from "./classifier.ts";
import { type ErrorNode, read, readText } from "./error-nodes.ts";
import { isOneConnection } from "./seen.ts";

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
  const details = readText(node, "details");
  const isRefused = REFUSED.has(read(node, "code")) && !ANSWERED.test(details);
  const isNeverSent = read(node, "code") === UNAVAILABLE && NEVER_CONNECTED.test(details);
  return (isRefused || isNeverSent) && isOneConnection(seen) ? "not-done" : "unknown";
});

function isOfGrpc(node: ErrorNode): boolean {
  const code = read(node, "code");
  const isCode = Number.isInteger(code) && Number(code) >= 1 && Number(code) <= 16;
  return isCode && typeof read(node, "details") === "string" && typeof read(node, "metadata") === "object";
}

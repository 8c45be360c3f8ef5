import { getSystemErrorName } from "node:util";

const NODES_MAX = 30;
/** Of an `AggregateError`. */
const ERRORS_MAX = 10;
/** Where libraries keep the error, or the answer, that matters. */
const INNER = ["cause", "errors", "error", "originalError", "original", "detail", "response"] as const;

/** An error, or something inside of it that may be one. */
export type ErrorNode = Readonly<Record<string, unknown>>;

/** What was thrown, its causes, and what libraries wrap, the outermost first; at most 30. Never throws. */
export function errorTree(thrown: unknown): ErrorNode[] {
  const found = new Set<ErrorNode>(isObject(thrown) ? [thrown] : []);
  for (const node of found) {
    const inner = INNER.flatMap((name) => listed(memberOf(node, name)));
    for (const value of inner) if (isObject(value) && found.size < NODES_MAX) found.add(value);
  }
  return [...found];
}

function listed(value: unknown): unknown[] {
  try {
    return Array.isArray(value) ? value.slice(0, ERRORS_MAX) : [value];
  } catch {
    return [];
  }
}

/** An error's code, or else its name. Where a connection failed, it is the system's code, which nodemailer overwrites. */
export function errorCode(error: unknown): string {
  return connectCode(error) || textIn(error, "code") || textIn(error, "name") || "error";
}

function connectCode(error: unknown): string {
  const errno = memberOf(error, "errno");
  if (textIn(error, "syscall") !== "connect") return textIn(error, "originalCode");
  try {
    return typeof errno === "number" && errno < 0 ? getSystemErrorName(errno) : "";
  } catch {
    return "";
  }
}

/** Follows a path of members. A getter that throws has no value. */
export function memberOf(value: unknown, ...path: readonly string[]): unknown {
  try {
    return path.reduce<unknown>((at, name) => (isObject(at) ? at[name] : undefined), value);
  } catch {
    return undefined;
  }
}

/** A member that is text; empty for anything else. */
export function textIn(value: unknown, name: string): string {
  const text = memberOf(value, name);
  return typeof text === "string" ? text : "";
}

function isObject(value: unknown): value is ErrorNode {
  return typeof value === "object" && value !== null;
}

/** The connection was never made, or given up before anything was sent on it. */
export const NEVER_SENT: ReadonlySet<string> = new Set([
  "EAI_AGAIN",
  "EADDRNOTAVAIL",
  "ECONNREFUSED",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETUNREACH",
  "ENOTFOUND",
  "UND_ERR_CONNECT_TIMEOUT",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_REVOKED",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "HOSTNAME_MISMATCH",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

/** Something may have been sent, and no answer came. */
const UNANSWERED: ReadonlySet<unknown> = new Set([
  "ABORT_ERR",
  "ECONNABORTED",
  "ECONNRESET",
  "EPIPE",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ESOCKETTIMEDOUT",
  "ETIMEDOUT",
  "UND_ERR_ABORTED",
  "UND_ERR_BODY_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_SOCKET",
]);
const UNANSWERED_NAMES: ReadonlySet<unknown> = new Set(["AbortError", "TimeoutError"]);

/** Whether a request may have been sent that was not answered. */
export function saysUnanswered(error: ErrorNode): boolean {
  return UNANSWERED.has(memberOf(error, "code")) || UNANSWERED_NAMES.has(memberOf(error, "name"));
}

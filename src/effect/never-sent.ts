import { errorCode, errorTree } from "./error-tree.ts";
import type { OutgoingRecord } from "./outgoing-record.ts";
import { isWrittenSince } from "./watch-outgoing.ts";

/** The connection was never made, or given up before anything was sent on it. */
const NEVER_SENT: ReadonlySet<string> = new Set([
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

/**
 * Whether an error says that no connection was made, and this run of the effect has sent nothing before: clients send again by themselves,
 * and only their last error is seen. Where the connection itself was not seen, nothing is proved.
 */
export function provesNeverSent(error: unknown, record: OutgoingRecord): boolean {
  const isRefused = errorTree(error).some((node) => NEVER_SENT.has(errorCode(node)));
  if (!isRefused || !record.hasOnlyFailed(NEVER_SENT)) return false;
  return !isWrittenSince(record.hosts, record.startedAt);
}

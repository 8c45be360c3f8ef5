import { errorCode, errorTree } from "../../../evidence/error-tree.ts";
import { NEVER_SENT } from "../../../evidence/never-sent-codes.ts";
import type { OutgoingRecord } from "./outgoing-record.ts";
import { isWrittenSince } from "./watch-outgoing.ts";

/**
 * Whether an error says that no connection was made, and this run of the effect has sent nothing before: clients send again by themselves,
 * and only their last error is seen. Where the connection itself was not seen, nothing is proved.
 */
export function provesNeverSent(error: unknown, record: OutgoingRecord): boolean {
  const isRefused = errorTree(error).some((node) => NEVER_SENT.has(errorCode(node)));
  if (!isRefused || !record.hasOnlyFailed) return false;
  return !isWrittenSince(record.hosts, record.startedAt);
}

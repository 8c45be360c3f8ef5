/**
 * What sealed texts are bound to: what each is, and where it belongs. Nothing else spells a place; a text opens only
 * with the very place that it was sealed for.
 */

export function jobAssociatedData(
  jobId: string,
  part: "data" | "result" | "progress" | "failure" | "trace" | "attempt" | "log",
): string {
  return `job ${jobId} ${part}`;
}

/** @param effect the effect as the ledger names it */
export function effectAssociatedData(
  dedupKey: string,
  effect: string,
  part: "result" | "reason" | "evidence",
): string {
  return `effect ${dedupKey} ${part} ${effect}`;
}

/** Of an effect's index. */
export function indexAssociatedData(dedupKey: string, name: string): string {
  return `effect ${dedupKey} index ${name}`;
}

export const fingerprintSecretAssociatedData = "fingerprint secret";

// What each encrypted text is bound to. It decrypts only with the same associated data.

export function jobAssociatedData(
  jobId: string,
  part: "data" | "key" | "result" | "progress" | "failure" | "trace" | "attempt" | "log",
): string {
  return `job ${jobId} ${part}`;
}

/** @param effect the effect's name in the ledger */
export function effectAssociatedData(
  dedupKey: string,
  effect: string,
  part: "result" | "reason" | "seen" | "evidence" | "call",
): string {
  return `effect ${dedupKey} ${part} ${effect}`;
}

/** For an effect's index. */
export function indexAssociatedData(dedupKey: string, name: string): string {
  return `effect ${dedupKey} index ${name}`;
}

/** For why somebody paused something, and what a chart says of an act. @param of whose pause it is, or which */
export function reasonAssociatedData(of: string): string {
  return `reason ${of}`;
}

/** Reports that a job starts now, by the clock that all processes of a machine share. */
export function reportStart(): void {
  process.send?.({ startedAt: now() });
}

/** Milliseconds on the machine's monotonic clock, comparable between its processes. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

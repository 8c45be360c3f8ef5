import { openSync, writeSync } from "node:fs";
import { join } from "node:path";

/**
 * How far each attempt got, one line per step: `time life event job detail`.
 *
 * Written without a buffer, so it survives a kill. It needs no fsync because the system keeps running.
 */
let file: number | undefined;

export function openTrace(): void {
  file = openSync(join(process.env.LAB_DIR ?? "", "trace", process.env.LAB_LIFE ?? ""), "a");
}

export function trace(event: string, jobId: string, detail = "-"): void {
  if (file !== undefined)
    writeSync(file, `${Date.now()} ${process.env.LAB_LIFE} ${event} ${jobId} ${detail}\n`);
}

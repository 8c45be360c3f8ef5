import { openSync, writeSync } from "node:fs";
import { join } from "node:path";

/**
 * Where each attempt got to, one line per step: `time life event job detail`.
 *
 * Written straight to the file: what a process wrote before it was killed is there, without an fsync, since the system
 * lives on.
 */
let file: number | undefined;

export function openTrace(): void {
  file = openSync(join(process.env.LAB_DIR ?? "", "trace", process.env.LAB_LIFE ?? ""), "a");
}

export function trace(event: string, jobId: string, detail = "-"): void {
  if (file !== undefined)
    writeSync(file, `${Date.now()} ${process.env.LAB_LIFE} ${event} ${jobId} ${detail}\n`);
}

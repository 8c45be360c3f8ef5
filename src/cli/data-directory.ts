import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { PRIVATE_DIRECTORY_MODE, PRIVATE_FILE_MODE } from "../lib/private-files.ts";
import { type Running, stopOnce } from "../lib/running.ts";

/**
 * Makes sure that only one `up` works in a data directory: two embedded stores on the same files would ruin them.
 *
 * @returns what gives the directory free again
 * @throws HoldfastError `START_FAILED` when another one is running
 */
export function claimDataDirectory(dataDir: string): Running {
  mkdirSync(dataDir, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
  const file = join(dataDir, "up.pid");
  const holder = readHolder(file);
  if (holder !== undefined && isAlive(holder)) {
    throw new HoldfastError(
      "START_FAILED",
      `holdfast up is already running on ${dataDir} (process ${holder}); stop it, or set HOLDFAST_DATA_DIR`,
    );
  }
  writeFileSync(file, String(process.pid), { mode: PRIVATE_FILE_MODE });
  chmodSync(file, PRIVATE_FILE_MODE); // one that was left behind keeps its mode
  return {
    stop: stopOnce(async () => {
      rmSync(file, { force: true });
    }),
  };
}

function readHolder(file: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(file, "utf8"), 10) || undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return pid !== process.pid;
  } catch {
    return false;
  }
}

import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { PRIVATE_DIRECTORY_MODE, PRIVATE_FILE_MODE } from "../../../platform/lib/private-files.ts";
import { type Running, stopOnce } from "../../../platform/lib/running.ts";

/**
 * Claims a data directory for one `up`: two embedded servers on the same files would corrupt them.
 *
 * @returns whose `stop` releases the directory
 * @throws HoldfastError `START_FAILED` if another `up` is running there
 */
export function claimDataDirectory(dataDir: string): Running {
  mkdirSync(dataDir, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
  const file = join(dataDir, "up.pid");
  const owner = readOwner(file);
  if (owner !== undefined && isAlive(owner)) {
    throw new HoldfastError(
      "START_FAILED",
      `holdfast up is already running on ${dataDir} (process ${owner}); stop it, or set HOLDFAST_DATA_DIR`,
    );
  }
  writeFileSync(file, String(process.pid), { mode: PRIVATE_FILE_MODE });
  chmodSync(file, PRIVATE_FILE_MODE); // an existing file keeps its mode
  return {
    stop: stopOnce(async () => {
      rmSync(file, { force: true });
    }),
  };
}

function readOwner(file: string): number | undefined {
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

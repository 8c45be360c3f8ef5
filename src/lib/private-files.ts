import { chmodSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Only for this user, whatever the umask. */
export const PRIVATE_FILE_MODE = 0o600;
export const PRIVATE_DIRECTORY_MODE = 0o700;

/**
 * Makes a directory that only this user can open. An existing one is tightened, with the files directly in it.
 *
 * @throws as `mkdir` does
 */
export function makePrivateDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: PRIVATE_DIRECTORY_MODE });
  tighten(directory, PRIVATE_DIRECTORY_MODE);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isFile()) tighten(join(directory, entry.name), PRIVATE_FILE_MODE);
  }
}

function tighten(path: string, mode: number): void {
  try {
    chmodSync(path, mode);
  } catch {
    // Another user's, or gone: other processes rename their drafts.
  }
}

import { randomUUID } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

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

/** Why nothing can be written in a directory, or in the one in which it would be made; undefined where something can. It leaves nothing there. */
export function writeFault(directory: string): string | undefined {
  let existing = resolve(directory);
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  const probe = join(existing, `.${randomUUID()}`);
  try {
    writeFileSync(probe, "", { mode: PRIVATE_FILE_MODE });
    rmSync(probe);
    return undefined;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

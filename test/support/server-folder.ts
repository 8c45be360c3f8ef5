import { statfsSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const IN_MEMORY = "/dev/shm";
const ROOM_BYTES = 2 ** 30;

/**
 * Makes the folder of a server's files. In a test it is in memory, where Linux has room there: a durable Redis waits for its disk with each
 * write, and a test kills servers, never the machine. Laboratories and benchmarks have the disk.
 */
export async function newServerFolder(name: string): Promise<string> {
  const parent = process.env.VITEST !== undefined && hasRoom(IN_MEMORY) ? IN_MEMORY : tmpdir();
  return await mkdtemp(join(parent, `holdfast-${name}-`));
}

function hasRoom(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize > ROOM_BYTES;
  } catch {
    return false; // macOS has no such folder
  }
}

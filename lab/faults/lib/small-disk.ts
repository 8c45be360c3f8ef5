import { spawnSync } from "node:child_process";
import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeRemoval, scratchFolder } from "./scratch.ts";

/** A file system small enough to fill. */
export interface SmallDisk {
  readonly directory: string;
  /** Fills all but `leftBytes`. */
  fill(leftBytes: number): void;
  /** Frees the space. */
  clear(): void;
  remove(): void;
}

const MEBIBYTE = 1_048_576;

/** @returns undefined if none can be mounted, mostly because that needs root */
export function mountSmallDisk(mebibytes: number): SmallDisk | undefined {
  const directory = scratchFolder("small-disk");
  const options = ["-t", "tmpfs", "-o", `size=${mebibytes * MEBIBYTE}`, "holdfast-laboratory", directory];
  if (spawnSync("mount", options).status !== 0) return undefined;
  const remove = () => void spawnSync("umount", ["--lazy", directory]);
  beforeRemoval(remove);
  const ballast = join(directory, "ballast");
  return {
    directory,
    fill(leftBytes) {
      const { bavail, bsize } = statfsSync(directory);
      try {
        writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - leftBytes)));
      } catch (error) {
        // Another process filled the rest first, so it is full anyway.
        if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
      }
    },
    clear: () => rmSync(ballast, { force: true }),
    remove,
  };
}

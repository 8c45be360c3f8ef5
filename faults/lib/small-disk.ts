import { spawnSync } from "node:child_process";
import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeRemoval, scratchFolder } from "./scratch.ts";

/** A file system of its own, small enough to be filled. */
export interface SmallDisk {
  readonly directory: string;
  /** Takes all the space but so many bytes. */
  fill(leftBytes: number): void;
  /** Gives the space back. */
  clear(): void;
  remove(): void;
}

const MEBIBYTE = 1_048_576;

/** @returns undefined where no file system can be mounted: mostly for want of root */
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
        // Somebody else was quicker with the rest: then it is full all the same.
        if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
      }
    },
    clear: () => rmSync(ballast, { force: true }),
    remove,
  };
}

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { scratchFolder } from "../faults/lib/scratch.ts";

/**
 * Builds the library that makes SIGKILL of Redis mean a power cut.
 *
 * @returns the environment to start Redis with; undefined without Linux or a C compiler
 */
export function powerCutEnvironment(): NodeJS.ProcessEnv | undefined {
  if (process.platform !== "linux") return undefined;
  const library = join(scratchFolder("power-cut"), "power-cut.so");
  const source = fileURLToPath(new URL("power-cut.c", import.meta.url));
  const { status } = spawnSync("cc", ["-shared", "-fPIC", "-O1", "-o", library, source, "-ldl", "-lpthread"]);
  return status === 0 ? { LD_PRELOAD: library } : undefined;
}

import { createHash } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { makePrivateDirectory, PRIVATE_FILE_MODE } from "../lib/private-files.ts";
import type { SeenEpoch } from "./epoch.ts";

/** The epoch that was seen of each queue. */
export type SeenEpochs = ReadonlyMap<string, SeenEpoch>;

/** The file in which the processes of one data directory remember the epochs of one Redis for their successors. */
export interface EpochFile {
  read(): SeenEpochs;
  /** Keeps the higher count where another process has seen more of the same epoch. */
  write(seen: SeenEpochs): void;
}

const contentSchema = z.record(z.string(), z.object({ id: z.string(), count: z.int().min(0) }));

/** @param url Redis's: each Redis and prefix has its own file. Credentials are left out. */
export function epochFile(dataDir: string, url: string, prefix: string): EpochFile {
  const identity = `${url.replaceAll(/\/\/[^@/]*@/g, "//")} ${prefix}`;
  const digest = createHash("sha256").update(identity).digest("hex").slice(0, 16);
  const directory = join(dataDir, "epochs");
  const path = join(directory, `${digest}.json`);
  let isMade = false;

  function read(): SeenEpochs {
    try {
      const content = contentSchema.safeParse(JSON.parse(readFileSync(path, "utf8")));
      return new Map(Object.entries(content.data ?? {}));
    } catch {
      // There is none yet, or a crash of the machine cut it off: running processes still remember.
      return new Map();
    }
  }

  return {
    read,
    write(seen) {
      const content = new Map(read());
      for (const [queue, epoch] of seen) {
        const known = content.get(queue);
        if (known?.id !== epoch.id || known.count < epoch.count) content.set(queue, epoch);
      }
      if (!isMade) makePrivateDirectory(directory);
      isMade = true;
      const draft = `${path}.${process.pid}`;
      writeFileSync(draft, JSON.stringify(Object.fromEntries(content)), { mode: PRIVATE_FILE_MODE });
      renameSync(draft, path);
    },
  };
}

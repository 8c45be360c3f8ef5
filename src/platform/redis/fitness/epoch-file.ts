import { createHash } from "node:crypto";
import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { makePrivateDirectory, PRIVATE_FILE_MODE } from "../../lib/private-files.ts";
import type { SeenEpoch } from "./epoch.ts";

/** The epoch that was seen of each queue. */
export type SeenEpochs = ReadonlyMap<string, SeenEpoch>;

/** The file in which the processes of one data directory remember the epochs of one Redis for their successors. */
export interface EpochFile {
  read(): SeenEpochs;
  /** The highest count that earlier processes have seen of an epoch, under whichever address Redis had: its id names it. 0 for none. */
  countOf(id: string): number;
  /** Keeps the higher count where another process has seen more of the same epoch. */
  write(seen: SeenEpochs): void;
}

const contentSchema = z.record(z.string(), z.unknown());
const epochSchema = z.object({ id: z.string().min(1), count: z.int().min(0) });

/** @param url Redis's: each Redis and prefix has its own file. Credentials and the order of nodes do not matter. */
export function epochFile(dataDir: string, url: string, prefix: string): EpochFile {
  const directory = join(dataDir, "epochs");
  const pathOf = (address: string) => join(directory, `${digestOf(`${address} ${prefix}`)}.json`);
  const path = pathOf(addressOf(url));
  const formerPath = pathOf(withoutCredentials(url));
  let counts: ReadonlyMap<string, number> | undefined;
  let isMade = false;

  function read(): SeenEpochs {
    const seen = readEpochs(path);
    return seen.size > 0 ? seen : readEpochs(formerPath);
  }

  return {
    read,
    countOf(id) {
      counts ??= countsIn(directory);
      return counts.get(id) ?? 0;
    },
    write(seen) {
      const content = new Map(read());
      for (const [queue, epoch] of seen) {
        const known = content.get(queue);
        if (known?.id !== epoch.id || known.count < epoch.count) content.set(queue, epoch);
      }
      if (!isMade) makePrivateDirectory(directory);
      isMade = true;
      replaceFile(path, JSON.stringify(Object.fromEntries(content)));
    },
  };
}

/** At once, so that nobody reads half of it. */
export function replaceFile(path: string, content: string): void {
  // Containers that share the directory have the same process ids.
  const draft = `${path}.${hostname()}.${process.pid}`;
  writeFileSync(draft, content, { mode: PRIVATE_FILE_MODE });
  renameSync(draft, path);
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

function readEpochs(path: string): SeenEpochs {
  try {
    const content = contentSchema.safeParse(JSON.parse(readFileSync(path, "utf8")));
    // Builds before this one could write what was no epoch, such as a count of null. The others in the file are right.
    return new Map(
      Object.entries(content.data ?? {}).flatMap(([queue, value]) => {
        const epoch = epochSchema.safeParse(value);
        return epoch.success ? [[queue, epoch.data] as const] : [];
      }),
    );
  } catch {
    // There is none yet, or a crash of the machine cut it off: running processes still remember.
    return new Map();
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => name.endsWith(".json"));
  } catch {
    return [];
  }
}

/** The highest count of each epoch in all files. */
function countsIn(directory: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const seen = namesIn(directory).flatMap((name) => [...readEpochs(join(directory, name)).values()]);
  for (const { id, count } of seen) counts.set(id, Math.max(count, counts.get(id) ?? 0));
  return counts;
}

/** How files were named while the order of nodes counted; for one server they still are. */
function withoutCredentials(url: string): string {
  return url.replaceAll(/\/\/[^@/]*@/g, "//");
}

/** What names a Redis in the data directory. */
export function fileNameOf(url: string): string {
  return `${digestOf(addressOf(url))}.json`;
}

function addressOf(url: string): string {
  if (!url.includes(",")) return withoutCredentials(url);
  const [, sentinels, master] = /^sentinel:\/\/(.*)(\/[^/]+)$/s.exec(url) ?? [];
  const nodes = (sentinels?.replace(/^.*@/s, "") ?? url).split(",").map(nodeOf).sort();
  return `${nodes.join(",")}${master ?? ""}`;
}

/** Host and port. */
function nodeOf(node: string): string {
  return node
    .replace(/^[a-z]+:\/\//, "")
    .replace(/^.*@/s, "")
    .toLowerCase();
}

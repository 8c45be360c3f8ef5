import { type FileHandle, open } from "node:fs/promises";

/** A file of JSON lines, each on disk before it counts. */
export interface DurableList {
  /** Resolves when the line is on disk. */
  append(line: object): Promise<void>;
  close(): Promise<void>;
}

export async function openDurableList(path: string): Promise<DurableList> {
  const file = await open(path, "a");
  let waiting: string[] = [];
  let flushing: Promise<void> | undefined;
  return {
    async append(line) {
      waiting.push(`${JSON.stringify(line)}\n`);
      // Lines that arrive during a flush share the next one.
      if (flushing !== undefined) await flushing;
      flushing ??= flush(file, () => waiting.splice(0)).finally(() => {
        flushing = undefined;
      });
      await flushing;
    },
    async close() {
      await flushing;
      waiting = [];
      await file.close();
    },
  };
}

async function flush(file: FileHandle, takeLines: () => string[]): Promise<void> {
  await file.appendFile(takeLines().join(""));
  await file.datasync();
}

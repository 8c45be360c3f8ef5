import { randomBytes } from "node:crypto";
import { open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { makePrivateDirectory, PRIVATE_FILE_MODE } from "../../src/platform/lib/private-files.ts";

/** A mail's file name without the extension, e.g. `20261124T140912123Z-9f86d081`. */
export type MailId = string;

/** The mails on disk, one `.eml` file each. Several processes may share a directory. */
export interface MailDirectory {
  /** Stores a message. Once this resolves, it survives a crash of the machine. */
  store(message: Buffer): Promise<MailId>;
  /** The newest mails, newest first, and how many there are in all. */
  newest(limit: number): Promise<{ ids: MailId[]; total: number }>;
  /** The message as received, or its first `maxBytes`; undefined if there is no such mail. */
  read(id: MailId, maxBytes?: number): Promise<Buffer | undefined>;
}

const idShape = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-[0-9a-f]{8}$/;
const ending = ".eml";

/** Whether a text has the shape of an id. Only such texts become part of a path. */
export function isMailId(text: string): text is MailId {
  return idShape.test(text);
}

/** When a mail had arrived in full. */
export function arrivalOf(id: MailId): Date {
  return new Date(id.replace(idShape, "$1-$2-$3T$4:$5:$6.$7Z"));
}

/** Opens a directory of mails, and creates it if it is missing. */
export async function openMailDirectory(directory: string): Promise<MailDirectory> {
  makePrivateDirectory(directory);
  const nextArrivalMs = arrivalClock();
  const pathOf = (id: MailId) => join(directory, id + ending);

  return {
    async store(message) {
      const id = mailId(nextArrivalMs());
      const unfinished = join(directory, `.${id}.unfinished`);
      try {
        await writeDurably(unfinished, message);
        await rename(unfinished, pathOf(id));
      } catch (error) {
        await rm(unfinished, { force: true });
        throw error;
      }
      await syncDirectory(directory);
      return id;
    },

    async newest(limit) {
      const names = (await readdir(directory)).filter((name) => name.endsWith(ending));
      const ids = names.map((name) => name.slice(0, -ending.length)).filter(isMailId);
      return { ids: ids.sort().reverse().slice(0, limit), total: ids.length };
    },

    async read(id, maxBytes) {
      if (!isMailId(id)) return undefined;
      try {
        return await (maxBytes === undefined ? readFile(pathOf(id)) : readStart(pathOf(id), maxBytes));
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
  };
}

/** Times that never repeat in this process, so that mails sort in order of arrival. */
function arrivalClock(): () => number {
  let lastMs = 0;
  return () => {
    lastMs = Math.max(Date.now(), lastMs + 1);
    return lastMs;
  };
}

/** The random part separates processes that share the directory. */
function mailId(arrivalMs: number): MailId {
  const instant = new Date(arrivalMs).toISOString().replace(/[-:.]/g, "");
  return `${instant}-${randomBytes(4).toString("hex")}`;
}

async function writeDurably(path: string, content: Buffer): Promise<void> {
  const file = await open(path, "wx", PRIVATE_FILE_MODE);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A rename is durable only once its directory is synced. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function readStart(path: string, maxBytes: number): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxBytes), 0, maxBytes, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

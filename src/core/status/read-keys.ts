import { listOf, text } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { openEnvelope } from "../bullmq/add/envelope.ts";
import { decryptedOrWhyNot } from "../bullmq/readable.ts";
import type { QueueStore } from "../bullmq/store/queue-store.ts";
import { UNREADABLE } from "./readable.ts";

const script = loadScript(import.meta.url, "read-keys.lua", listOf(text));

const TOGETHER_MAX = 100;
/** Some milliseconds of Redis's time. */
const BYTES_MAX = 2 * 1024 * 1024;

/** A job's idempotency key. */
export interface StoredKey {
  /** Undefined where this process cannot read it. */
  readonly key: string | undefined;
  /** The key, or why it cannot be read. */
  readonly shown: string;
}

/**
 * Reads the idempotency keys of a queue's jobs, without their payloads.
 *
 * @returns for each job; undefined where there is none
 */
export async function readKeys(
  store: QueueStore,
  ids: readonly string[],
): Promise<(StoredKey | undefined)[]> {
  const { client, keys } = store;
  const found: (StoredKey | undefined)[] = [];
  while (found.length < ids.length) {
    const some = ids.slice(found.length, found.length + TOGETHER_MAX);
    const reply = await script.run(client, [keys.completed], [keys.start, BYTES_MAX, ...some]);
    for (let at = 0; at < reply.length; at += 2) {
      const id = some[at / 2] ?? "";
      found.push(storedKey(store, id, reply[at] ?? "", reply[at + 1] ?? ""));
    }
  }
  return found;
}

/** As `readKeys`, for one job. */
export async function readKey(store: QueueStore, id: string): Promise<StoredKey | undefined> {
  const [found] = await readKeys(store, [id]);
  return found;
}

function storedKey(store: QueueStore, id: string, from: string, text: string): StoredKey | undefined {
  if (from === "") return undefined;
  try {
    const opened = decryptedOrWhyNot(() => ({ key: keyIn(store, id, from, text) }));
    return typeof opened === "string" ? { key: undefined, shown: opened } : { ...opened, shown: opened.key };
  } catch {
    return { key: undefined, shown: UNREADABLE };
  }
}

/** A key at the beginning of a submission, as JSON. */
const FIRST_MEMBER = /^\{"key":("(?:[^"\\]|\\.)*")/s;

function keyIn(store: QueueStore, id: string, from: string, text: string): string {
  if (from === "data") return openEnvelope(store, id, JSON.parse(text)).key;
  const json = from === "key" ? text : (FIRST_MEMBER.exec(text)?.[1] ?? "");
  const value: unknown = JSON.parse(json);
  return String(from === "key" ? store.decryptValue(id, "key", value) : value);
}

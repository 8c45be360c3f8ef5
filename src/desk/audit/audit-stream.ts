import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { loadScript } from "../../platform/redis/script.ts";

/** An entry of an audit log: its id, and names and values in turn. */
export type StoredEntry = readonly [id: string, fields: readonly string[]];

const appendScript = loadScript(import.meta.url, "append-audit.lua");
const takeScript = loadScript(import.meta.url, "take-audit.lua");
const keysScript = loadScript(import.meta.url, "note-api-keys.lua");

const ENTRIES_MAX = 100_000;

/** @param fields names and values in turn */
export async function appendEntry({ client, keys }: QueueStore, fields: readonly string[]): Promise<void> {
  await appendScript.run(client, [keys.audit], [ENTRIES_MAX, ...fields]);
}

/** Reads the entries that no process has logged. Nobody reads them again. */
export async function takeUnlogged({ client, keys }: QueueStore, limit: number): Promise<StoredEntry[]> {
  return (await takeScript.run(client, [keys.audit, keys.own("audit:logged")], [limit])) as StoredEntry[];
}

/** Reads which API keys were configured last, as JSON; empty if none ever were. */
export async function readNotedKeys({ client, keys }: QueueStore): Promise<string> {
  return (await client.get(keys.own("api-keys"))) ?? "";
}

export interface NotedKeys {
  readonly before: string;
  readonly after: string;
  /** What has changed, as the audit log stores it. */
  readonly evidence: string;
  readonly by: string;
}

/** @returns whether it was noted: not if it is no longer `before` */
export async function noteKeys(
  { client, keys }: QueueStore,
  { before, after, evidence, by }: NotedKeys,
): Promise<boolean> {
  const reply = await keysScript.run(
    client,
    [keys.own("api-keys"), keys.audit],
    [before, after, evidence, by],
  );
  return reply === 1;
}

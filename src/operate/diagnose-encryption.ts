import type { EncryptionKey } from "../config/encryption-keys.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import { loadScript } from "../redis/script.ts";
import { type Finding, finding } from "./finding.ts";

const script = loadScript(import.meta.url, "encrypted-with.lua");
/** Of those that wait, those with priority and those that are delayed: the next ones of each. */
const LOOKED_AT = 100;

/** Looks whether the next jobs of a queue can be read with the keys that are configured. */
export async function diagnoseEncryption(
  store: QueueStore,
  keys: readonly EncryptionKey[],
): Promise<Finding> {
  const { waiting, prioritized, delayed, start } = store.keys;
  const reply = await script.run(store.client, [waiting, prioritized, delayed], [start, LOOKED_AT]);
  const told = reply as string[];
  const counts = Array.from(
    { length: told.length / 2 },
    (_, at) => [told[2 * at] ?? "", Number(told[2 * at + 1])] as const,
  );
  const missing = counts
    .map(([id]) => id)
    .filter((id) => id !== "" && !keys.some((key) => key.id === id))
    .sort();
  const describe = counts
    .map(([id, many]) => `${many} ${id === "" ? "not encrypted" : `with key ${id}`}`)
    .sort();
  return finding(
    `encryption of ${store.queue}`,
    missing.length === 0 ? "ok" : "bad",
    describe.length === 0 ? "no job waits" : `of the next jobs ${describe.join(", ")}`,
    {
      reason: "a job whose key is not there fails with DECRYPTION_FAILED, without being run",
      remedy: `add the keys ${missing.join(", ")} to HOLDFAST_ENCRYPTION_KEYS of every process`,
    },
  );
}

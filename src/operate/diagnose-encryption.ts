import type { EncryptionKey } from "../config/encryption-keys.ts";
import { countEncryptionKeys } from "../queue/encryption-in-use.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import { type Finding, finding } from "./finding.ts";

/** Looks whether the next jobs of a queue can be read with the keys that are configured. */
export async function diagnoseEncryption(
  store: QueueStore,
  keys: readonly EncryptionKey[],
): Promise<Finding> {
  const counts = [...(await countEncryptionKeys(store))];
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

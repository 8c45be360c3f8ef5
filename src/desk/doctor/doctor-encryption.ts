import type { Settings } from "../../platform/config/settings.ts";
import { type Finding, finding, ok } from "../../platform/errors/finding.ts";
import type { RedisConnection } from "../../platform/redis/connection.ts";
import { readKeysInUse } from "../../platform/redis/encryption/keys-in-use.ts";

const NAME = "encryption keys";

/** Checks whether all processes have the keys that are in use, and this configuration, too. */
export async function diagnoseKeys(client: RedisConnection, settings: Settings): Promise<Finding> {
  const { encryptsWith, lacking, processes } = await readKeysInUse(client, settings);
  const found = encryptsWith.length === 0 ? "nothing is encrypted" : `in use: ${encryptsWith.join(", ")}`;
  if (lacking.length === 0)
    return ok(NAME, `${found}; ${processes} ${processes === 1 ? "process" : "processes"}`);
  return finding(NAME, "bad", `not here: ${lacking.join(", ")}`, {
    code: "ENCRYPTION_KEYS_DIFFER",
    reason: "a process without a key that others encrypt with does no work",
    remedy: "give every process all keys that are in use: HOLDFAST_ENCRYPTION_KEYS",
  });
}

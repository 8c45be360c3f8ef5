import { createHash } from "node:crypto";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import type { ApiKey } from "../../platform/config/api-keys.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { integer } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { storedReason } from "./audit-log.ts";

const noteKeys = loadScript(import.meta.url, "note-api-keys.lua", integer);

/** A key's name, its scopes, and what shows that it is another key. */
type NotedKey = readonly [name: string, scopes: string, fingerprint: string];

/**
 * Puts it on record if the configured API keys are not those that a process started with last. It happens with the first of them; a process
 * that starts at the same moment with the same keys finds them noted.
 *
 * @param store of Holdfast's own queue
 * @param by who runs the process
 */
export async function recordApiKeys(
  store: QueueStore,
  apiKeys: readonly ApiKey[],
  by: string,
): Promise<void> {
  await inTime(record(store, apiKeys.map(noted).sort(inOrder), by));
}

async function record(store: QueueStore, keys: readonly NotedKey[], by: string): Promise<void> {
  const { client, keys: at } = store;
  const noted = at.own("api-keys");
  const after = keys.length === 0 ? "" : JSON.stringify(keys);
  for (;;) {
    const before = (await client.get(noted)) ?? "";
    if (before === after) return;
    const evidence = storedReason(store, difference(keysIn(before), keys));
    // Not if it is no longer what was before.
    if ((await noteKeys.run(client, [noted, at.audit], [before, after, evidence, by])) === 1) return;
  }
}

/** A part of a hash of what is configured, which is a hash of the key: enough to see a change, nothing to sign in with. */
function noted({ name, scopes, sha256 }: ApiKey): NotedKey {
  const fingerprint = createHash("sha256").update(`holdfast api key ${name} `).update(sha256).digest("hex");
  return [name, [...scopes].sort().join("+"), fingerprint.slice(0, 16)];
}

/** In whichever order they are configured. */
function inOrder(a: NotedKey, b: NotedKey): number {
  return a.join().localeCompare(b.join());
}

interface KnownKey {
  readonly scopes: string;
  readonly fingerprints: string;
}

/** While a key is replaced, its name is there twice. */
function keysByName(keys: readonly NotedKey[]): ReadonlyMap<string, KnownKey> {
  const known = new Map<string, KnownKey>();
  for (const [name, scopes, fingerprint] of keys) {
    const other = known.get(name);
    const isSame = other === undefined || other.scopes === scopes;
    known.set(name, {
      scopes: isSame ? scopes : `${other.scopes} and ${scopes}`,
      fingerprints: `${other?.fingerprints ?? ""}${fingerprint}`,
    });
  }
  return known;
}

function difference(before: readonly NotedKey[], after: readonly NotedKey[]): string {
  const [known, wanted] = [keysByName(before), keysByName(after)];
  const names = [...new Set([...wanted.keys(), ...known.keys()])];
  return names.flatMap((name) => changeOf(name, known.get(name), wanted.get(name))).join("; ");
}

function changeOf(name: string, was: KnownKey | undefined, is: KnownKey | undefined): string[] {
  if (was === undefined) return is === undefined ? [] : [`added ${name} (${is.scopes})`];
  if (is === undefined) return [`removed ${name} (${was.scopes})`];
  const changes = [
    ...(is.fingerprints === was.fingerprints ? [] : ["its key"]),
    ...(is.scopes === was.scopes ? [] : [`its scopes, from ${was.scopes} to ${is.scopes}`]),
  ];
  return changes.length === 0 ? [] : [`changed ${name}: ${changes.join(" and ")}`];
}

/** What another version noted counts as none. */
function keysIn(json: string): NotedKey[] {
  const parsed: unknown = json === "" ? [] : JSON.parse(json);
  return Array.isArray(parsed) ? (parsed as NotedKey[]) : [];
}

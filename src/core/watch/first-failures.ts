// Since when each kind of failure is known. The failed jobs alone cannot tell: people retry and delete them, and retention removes them.
import { okReply } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { readFingerprintSecret } from "../bullmq/store/fingerprint-secrets.ts";
import { queueOfPartition } from "../bullmq/store/partitions.ts";
import { queueKeys } from "../bullmq/store/queue-keys.ts";
import type { QueueStore } from "../bullmq/store/queue-store.ts";
import type { ConsumedPartition, PartitionPart } from "../feature.ts";
import { keyedHash } from "../submit/fingerprint.ts";
import { messagePattern } from "./message-pattern.ts";

/** Failures that are alike. */
export interface FailureKind {
  readonly type: string;
  readonly code: string;
  readonly messagePattern: string | null;
}

/** Those that failed last stay known. */
const KINDS_MAX = 1_000;
/** A kind that fails again and again is noted no more often. */
const AGAIN_MS = 60_000;
const DIGITS = 20;

const script = loadScript(import.meta.url, "first-failure.lua", okReply);

/** Notes when each kind of failure was first seen, of all attempts. An error here changes nothing. */
export function noteFirstFailures({ store, log }: ConsumedPartition): PartitionPart {
  const noted = new Map<string, number>();
  let secret: string | undefined;
  async function note(kind: FailureKind): Promise<void> {
    const name = textOf(kind);
    const now = performance.now();
    if (now - (noted.get(name) ?? Number.NEGATIVE_INFINITY) < AGAIN_MS) return;
    secret ??= await readSecret(store);
    await script.run(store.client, keysIn(store), [hashed(secret, kind), KINDS_MAX]);
    if (noted.size >= KINDS_MAX) noted.clear();
    noted.set(name, now);
  }
  return {
    onFailure: ({ type }, { failure: { code, message } }) =>
      note({ type, code, messagePattern: messagePattern(message) }).catch((error: unknown) =>
        log.debug({ queue: store.queue, reason: String(error) }, "a kind of failure is not noted"),
      ),
  };
}

/** When each of these was first seen, in milliseconds since 1970; undefined for those that are not known. */
export async function readFirstFailures(
  store: QueueStore,
  kinds: readonly FailureKind[],
): Promise<readonly (number | undefined)[]> {
  if (kinds.length === 0) return [];
  const secret = await readSecret(store);
  const [first] = keysIn(store);
  const found = await store.client.hmget(first, ...kinds.map((kind) => hashed(secret, kind)));
  return found.map((at) => (at === null ? undefined : Number(at)));
}

function keysIn({ keys }: QueueStore): readonly [first: string, seen: string] {
  return [keys.own("failures:first"), keys.own("failures:seen")];
}

/** Of the queue: its partitions share it. Without a submission there is none, and nothing fails. */
async function readSecret({ client, codec, prefix, queue }: QueueStore): Promise<string> {
  const keys = queueKeys(prefix, queueOfPartition(queue));
  return (await readFingerprintSecret({ client, codec, keys })) ?? "";
}

/** A message can carry people's data: nobody can test guesses of it. */
function hashed(secret: string, kind: FailureKind): string {
  return keyedHash(secret, "failure", textOf(kind), DIGITS);
}

function textOf({ type, code, messagePattern: pattern }: FailureKind): string {
  return JSON.stringify([type, code, pattern]);
}

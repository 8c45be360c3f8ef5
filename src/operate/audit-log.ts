import { z } from "zod";
import { decryptEffectText, effectName } from "../effect/ledger-texts.ts";
import { isoTime } from "../lib/iso-time.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import { decryptedOrWhyNot } from "../queue/readable.ts";
import { inTime } from "../redis/redis-errors.ts";

/** A doubt that was resolved, jobs that were deleted, or a loss of data that was accepted. What is about many jobs names none. */
export const auditEntrySchema = z.object({
  at: z.iso.datetime(),
  jobId: z.string(),
  effect: z.string(),
  as: z
    .string()
    .meta({ description: "done or not-done; deleted for jobs; loss-accepted for a loss of data" }),
  evidence: z.string(),
  by: z.string().meta({ description: "The name of the API key, or where it was done." }),
});
export type AuditEntry = Readonly<z.output<typeof auditEntrySchema>>;

/** Who resolved which doubt, deleted which jobs or accepted which loss, the latest first. */
export async function readAuditLog(queues: readonly QueueStore[], limit: number): Promise<AuditEntry[]> {
  const read = async (store: QueueStore) => {
    const entries = await store.client.xrevrange(store.keys.audit, "+", "-", "COUNT", limit);
    return entries.map(([id, fields]) => entryOf(store, id, fields));
  };
  const logs = await inTime(Promise.all(queues.map(read)));
  return logs
    .flat()
    .sort((a, b) => b.at.localeCompare(a.at))
    .slice(0, limit);
}

const ENTRIES_MAX = 100_000;

/** @param entry its evidence is stored as it is */
export async function appendToAuditLog(
  { client, keys }: QueueStore,
  entry: { readonly as: string; readonly evidence: string; readonly by: string },
): Promise<void> {
  const fields = Object.entries({ job: "", dedupKey: "", effect: "", ...entry }).flat();
  await client.xadd(keys.audit, "MAXLEN", "~", ENTRIES_MAX, "*", ...fields);
}

function entryOf(store: QueueStore, id: string, fields: readonly string[]): AuditEntry {
  const field = (name: string) => fields[fields.indexOf(name) + 1] ?? "";
  const stored = { dedupKey: field("dedupKey"), name: field("effect") };
  return {
    at: isoTime(Number(id.slice(0, id.indexOf("-")))),
    jobId: field("job"),
    effect: effectName(store, stored),
    as: field("as"),
    evidence: decryptedOrWhyNot(() => decryptEffectText(store, stored, "evidence", field("evidence"))),
    by: field("by"),
  };
}

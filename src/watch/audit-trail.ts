import { z } from "zod";
import { isoTime } from "../service/iso-time.ts";
import type { StoreClient } from "../store/client.ts";
import { inTime } from "../store/fault.ts";
import { auditKey } from "../store/keys.ts";

/** One doubt that was settled. */
export const auditEntrySchema = z.object({
  at: z.iso.datetime(),
  jobId: z.string(),
  effect: z.string(),
  as: z.string().meta({ description: "done or not-done" }),
  evidence: z.string(),
  by: z.string().meta({ description: "The name of the API key, or where it was done." }),
});
export type AuditEntry = Readonly<z.output<typeof auditEntrySchema>>;

/** Who settled which doubt, the latest first. */
export async function readAuditTrail(
  client: StoreClient,
  prefix: string,
  queues: readonly string[],
  limit: number,
): Promise<AuditEntry[]> {
  const trails = await inTime(
    Promise.all(queues.map((queue) => client.xrevrange(auditKey(prefix, queue), "+", "-", "COUNT", limit))),
  );
  return trails
    .flat()
    .map(([id, fields]) => entryOf(id, fields))
    .sort((a, b) => b.at.localeCompare(a.at))
    .slice(0, limit);
}

function entryOf(id: string, fields: readonly string[]): AuditEntry {
  const field = (name: string) => fields[fields.indexOf(name) + 1] ?? "";
  return {
    at: isoTime(Number(id.slice(0, id.indexOf("-")))),
    jobId: field("job"),
    effect: field("effect"),
    as: field("as"),
    evidence: field("evidence"),
    by: field("by"),
  };
}

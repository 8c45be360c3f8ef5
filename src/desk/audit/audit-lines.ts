import { z } from "zod";
import { type AuditEntry, auditEntrySchema } from "./audit-entry.ts";

/** An entry, or what was done together: the latest of its entries, and what all of them have. */
export const auditLineSchema = auditEntrySchema.extend({
  jobId: z.string().meta({ description: "Empty where it was about none, or about several." }),
  queue: z
    .string()
    .meta({ description: "Empty for what is about a schedule, many jobs, or all or several queues." }),
  what: z.string().meta({
    description: "What was done, as people read it.",
    examples: ["send: done, not-done", "retry: started, done"],
  }),
  parts: z
    .object({
      count: z.int().meta({ description: "How many entries." }),
      as: z.array(z.string()).readonly().meta({ description: "Each once, the earliest first." }),
      isExact: z.boolean().meta({ description: "Whether older entries, which were not read, have no more." }),
    })
    .nullable()
    .meta({
      description:
        "Of what has several entries with one `actId`: `?actId=` lists them. Null for an entry that stands for itself.",
    }),
});
export type AuditLine = Readonly<z.output<typeof auditLineSchema>>;

/** The entries of one act follow each other: its caller calls again at once. */
const APART_MS = 60_000;

/** @param entries the latest first @param unreadBefore milliseconds since 1970: what is older was not read */
export function foldedLines(entries: readonly AuditEntry[], unreadBefore: number): AuditLine[] {
  return [...grouped(entries).values()].flatMap((group) => {
    const [latest] = group;
    const earliest = group.at(-1);
    if (latest === undefined || earliest === undefined) return [];
    if (group.length === 1) return [auditLineOf(latest)];
    const isExact = unreadBefore + APART_MS < Date.parse(earliest.at);
    const as = each(group, "as");
    const jobs = each(group, "jobId");
    return [
      {
        ...latest,
        jobId: jobs.length === 1 ? latest.jobId : "",
        queue: each(group, "queue").length === 1 ? latest.queue : "",
        count: isOfMany(latest) ? latest.count : jobs.length,
        what: whatOf(group),
        parts: { count: group.length, as, isExact },
      },
    ];
  });
}

export function countLines(entries: readonly AuditEntry[]): number {
  return grouped(entries).size;
}

export function auditLineOf(entry: AuditEntry): AuditLine {
  return { ...entry, what: whatOf([entry]), parts: null };
}

function grouped(entries: readonly AuditEntry[]): ReadonlyMap<unknown, readonly AuditEntry[]> {
  const groups = new Map<unknown, AuditEntry[]>();
  for (const entry of entries) {
    // What was done alone is a group of its own.
    const name = entry.actId ?? entry;
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [entry]);
    else group.push(entry);
  }
  return groups;
}

const OF_MANY = /^(retry|cancel|delete)-(started|done|stopping|stopped)$/;

/** Of an act on many jobs: its entries are its start and its end. */
function isOfMany({ as }: AuditEntry): boolean {
  return OF_MANY.test(as);
}

/** @example "send: done, not-done", "retry: started, done", "retry-started" */
function whatOf(entries: readonly AuditEntry[]): string {
  const as = each(entries, "as");
  const effects = each(entries, "effect").filter((effect) => effect !== "");
  const [, act] = OF_MANY.exec(as[0] ?? "") ?? [];
  if (act !== undefined && entries.length > 1)
    return `${act}: ${as.map((text) => text.slice(act.length + 1)).join(", ")}`;
  return effects.length === 0 ? as.join(", ") : `${effects.join(", ")}: ${as.join(", ")}`;
}

/** Each once, the earliest first. */
function each(entries: readonly AuditEntry[], member: "as" | "effect" | "jobId" | "queue"): string[] {
  return [...new Set(entries.map((entry) => entry[member]).reverse())];
}

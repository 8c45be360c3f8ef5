import type { AuditEntry } from "../service/answers.ts";

export type AuditRow = AuditEntry & { readonly id: string };

/** A line of the audit log: an entry, or an act of many entries, which has its parts below. */
export interface AuditLine extends AuditRow {
  /** The latest first; none where it is an entry. */
  readonly parts: readonly AuditRow[];
  /** Whether it is below its act. */
  readonly isPart: boolean;
}

/** Entries of one act follow each other within so many milliseconds. */
const SAME_WITHIN_MS = 60_000;

/** @param rows the latest first @param opened the ids of acts whose parts are shown */
export function linesOf(rows: readonly AuditRow[], opened: ReadonlySet<string>): AuditLine[] {
  const acts = new Map<string, AuditRow[]>();
  const latest = new Map<string, string>();
  for (const row of rows) {
    const name = nameOf(row);
    // Of the latest entries with this name, the one that they go on.
    const last = acts.get(latest.get(name) ?? "")?.at(-1);
    const isSame = last !== undefined && (isOfMany(row) || gapOf(last, row) <= SAME_WITHIN_MS);
    const act = isSame ? (latest.get(name) ?? "") : row.id;
    latest.set(name, act);
    acts.set(act, [...(acts.get(act) ?? []), row]);
  }
  return [...acts].flatMap(([, entries]) => shownOf(entries, opened));
}

function shownOf(entries: readonly AuditRow[], opened: ReadonlySet<string>): AuditLine[] {
  const [head] = entries;
  if (head === undefined) return [];
  if (entries.length === 1) return [{ ...head, parts: [], isPart: false }];
  const count = isOfMany(head) ? head.count : entries.length;
  // The earliest entry names the act: it stays when later ones join.
  const id = `act ${entries.at(-1)?.id}`;
  const act = { ...head, id, count, parts: entries, isPart: false };
  if (!opened.has(id)) return [act];
  return [act, ...entries.map((entry) => ({ ...entry, parts: [], isPart: true }))];
}

/** Entries with one name can belong to one act. */
function nameOf(row: AuditRow): string {
  const { as, effect, queue, schedule, by, evidence, jobId } = row;
  if (isOfMany(row)) return jobId;
  return JSON.stringify(jobId === "" ? [row.id] : [as, effect, queue, schedule, by, evidence]);
}

const OF_MANY = /^(retry|cancel|delete)-(started|done|stopping|stopped)$/;

/** Of an act on many jobs, which has an id: its entries are its start and its end. */
function isOfMany({ as }: AuditEntry): boolean {
  return OF_MANY.test(as);
}

function gapOf(later: AuditEntry, earlier: AuditEntry): number {
  return Date.parse(later.at) - Date.parse(earlier.at);
}

/** What was done: "send: done" of an effect, "retry: started, done" of an act on many jobs. */
export function whatOf({
  as,
  effect,
  parts = [],
}: Pick<AuditLine, "as" | "effect"> & Partial<AuditLine>): string {
  const [, act] = OF_MANY.exec(as) ?? [];
  if (act !== undefined && parts.length > 0)
    return `${act}: ${parts
      .map((part) => part.as.slice(act.length + 1))
      .reverse()
      .join(", ")}`;
  return effect === "" ? as : `${effect}: ${as}`;
}

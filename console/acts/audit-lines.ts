import type { AuditEntry } from "../service/answers.ts";

export type AuditRow = AuditEntry & { readonly id: string };

/** A line of the audit log: an entry, or an act of many entries, which has its parts below. */
export interface AuditLine extends AuditRow {
  /** The latest first; none where it is an entry. */
  readonly parts: readonly AuditRow[];
  /** Whether it is below its act. */
  readonly isPart: boolean;
  /** Whether its count is of those entries alone that were read. */
  readonly isAtLeast: boolean;
}

/** How many entries are read. */
export const AUDIT_SIZE = 200;

/** @param rows the latest first @param opened the ids of acts whose parts are shown */
export function linesOf(rows: readonly AuditRow[], opened: ReadonlySet<string>): AuditLine[] {
  const acts = new Map<string, AuditRow[]>();
  for (const row of rows) {
    const name = row.actId === null ? `entry ${row.id}` : `act ${row.actId}`;
    acts.set(name, [...(acts.get(name) ?? []), row]);
  }
  // Of the last one there may be more entries, which were not read.
  const cut = rows.length < AUDIT_SIZE ? undefined : rows.at(-1);
  return [...acts].flatMap(([id, entries]) => shownOf(id, entries, opened, cut));
}

function shownOf(
  id: string,
  entries: readonly AuditRow[],
  opened: ReadonlySet<string>,
  cut: AuditRow | undefined,
): AuditLine[] {
  const [head] = entries;
  if (head === undefined) return [];
  if (entries.length === 1) return [{ ...head, parts: [], isPart: false, isAtLeast: false }];
  const count = isOfMany(head) ? head.count : entries.length;
  const isAtLeast = !isOfMany(head) && entries.at(-1) === cut;
  const act = { ...head, id, count, parts: entries, isPart: false, isAtLeast };
  if (!opened.has(id)) return [act];
  return [act, ...entries.map((entry) => ({ ...entry, parts: [], isPart: true, isAtLeast: false }))];
}

const OF_MANY = /^(retry|cancel|delete)-(started|done|stopping|stopped)$/;

/** Of an act on many jobs: its entries are its start and its end. */
function isOfMany({ as }: AuditEntry): boolean {
  return OF_MANY.test(as);
}

/** What was done: "send: done, not-done" of effects, "retry: started, done" of an act on many jobs. */
export function whatOf({
  as,
  effect,
  parts = [],
}: Pick<AuditLine, "as" | "effect"> & Partial<AuditLine>): string {
  const [, act] = OF_MANY.exec(as) ?? [];
  if (act !== undefined && parts.length > 0)
    return `${act}: ${each(parts, (part) => part.as.slice(act.length + 1))}`;
  if (parts.length > 0) return `${each(parts, (part) => part.effect)}: ${each(parts, (part) => part.as)}`;
  return effect === "" ? as : `${effect}: ${as}`;
}

/** Each once, the earliest first. */
function each(parts: readonly AuditRow[], textOf: (part: AuditRow) => string): string {
  return [...new Set(parts.map(textOf).reverse())].join(", ");
}

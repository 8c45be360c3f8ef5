import { count, counted } from "../parts/format.ts";
import { Icon } from "../parts/icon.tsx";
import { Text } from "../parts/link.tsx";
import type { AuditRow } from "./use-audit.ts";

/** What was done together; opens its entries. */
export function AuditOpener({ row: { what, isOpen, onToggle } }: { readonly row: AuditRow }) {
  return (
    <button type="button" className="opener" aria-expanded={isOpen} onClick={onToggle}>
      <Icon of="open" />
      <Text of={what} />
    </button>
  );
}

/** @example "≥ 300" */
export function jobsCell(row: AuditRow): string {
  if (row.count === null) return "";
  return isAtLeast(row) ? `≥ ${count(row.count)}` : count(row.count);
}

/** @example "at least 300 jobs" */
export function jobsText(row: AuditRow): string {
  return `${isAtLeast(row) ? "at least " : ""}${counted(row.count ?? 0, "job")}`;
}

/** Of an act on many jobs, its end knows how many. */
function isAtLeast({ parts, jobId, actId }: AuditRow): boolean {
  return parts !== null && !parts.isExact && jobId !== actId;
}

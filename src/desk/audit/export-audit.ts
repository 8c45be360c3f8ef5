import { csvRow, type ExportFormat } from "../jobs/export-format.ts";
import type { AuditEntry } from "./audit-entry.ts";
import type { AuditFilter } from "./audit-filter.ts";
import { matchesAudit } from "./audit-log.ts";

const PAGE = 1_000;

interface AuditReader {
  auditEntries(limit: number, filter?: AuditFilter): Promise<AuditEntry[]>;
}

/**
 * The audit log as text, page by page, the latest first. Pages may be empty.
 *
 * @throws HoldfastError `INVALID_REQUEST`, `JOB_NOT_FOUND`, `QUEUE_NOT_FOUND`, `STORE_UNAVAILABLE`
 */
export async function* exportAudit(
  operator: AuditReader,
  filter: AuditFilter,
  format: ExportFormat,
): AsyncGenerator<string, void, undefined> {
  const { jobId, by, actId, ...span } = filter;
  // Refuses what is no job's id.
  if (jobId !== undefined) await operator.auditEntries(1, { jobId });
  if (format === "csv") yield csvRow(columns);
  for await (const page of pagesOf(operator, span))
    yield page
      .filter((entry) => matchesAudit({ jobId, by, actId }, entry))
      .map((entry) => (format === "csv" ? csvLine(entry) : `${JSON.stringify(entry)}\n`))
      .join("");
}

/**
 * Whole logs: a search by person or job ends after some entries, and an export does not. Entries of one instant stay together: the next
 * page begins before it.
 */
async function* pagesOf(operator: AuditReader, span: AuditFilter): AsyncGenerator<AuditEntry[]> {
  let { to } = span;
  let size = PAGE;
  for (let isLast = false; !isLast; ) {
    const found = await operator.auditEntries(size, { ...span, to });
    isLast = found.length < size;
    const oldest = found.at(-1)?.at;
    const page = isLast ? found : found.filter(({ at }) => at !== oldest);
    size = page.length === 0 ? size * 2 : PAGE;
    if (page.length === 0) continue;
    to = Date.parse(page.at(-1)?.at ?? "");
    yield page;
  }
}

const columns = [
  "at",
  "as",
  "jobId",
  "effect",
  "queue",
  "schedule",
  "count",
  "by",
  "evidence",
  "actId",
] as const;

function csvLine(entry: AuditEntry): string {
  return csvRow(columns.map((name) => entry[name]));
}

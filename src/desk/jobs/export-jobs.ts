import { features } from "../../features/index.ts";
import type { ListedJob } from "../../features/job-status.ts";
import { csvRow, type ExportFormat } from "./export-format.ts";
import type { JobFilter } from "./job-filter.ts";
import type { JobPage, JobQuery } from "./job-operator.ts";

const PAGE = 200;

/**
 * The jobs that match, as text, page by page: no more than one page is in memory. Pages may be empty.
 *
 * @throws HoldfastError `INVALID_REQUEST`, `STORE_UNAVAILABLE`
 */
export async function* exportJobs(
  operator: { list(query: JobQuery): Promise<JobPage> },
  filter: JobFilter,
  format: ExportFormat,
): AsyncGenerator<string, void, undefined> {
  const lineOf = format === "csv" ? csvLine : ndjsonLine;
  let head = format === "csv" ? csvRow(columns.map(([name]) => name)) : "";
  let cursor: string | undefined;
  do {
    const { jobs, nextCursor } = await operator.list({ ...filter, limit: PAGE, cursor });
    yield head + jobs.map(lineOf).join("");
    head = "";
    cursor = nextCursor ?? undefined;
  } while (cursor !== undefined);
}

const columns: readonly (readonly [name: string, cell: (job: ListedJob) => string | number | null])[] = [
  ["id", ({ id }) => id],
  ["type", ({ type }) => type],
  ["state", ({ state }) => state],
  ["idempotencyKey", ({ idempotencyKey }) => idempotencyKey],
  ...features.flatMap(({ columns: own = [] }) => own),
  ["attemptsMade", ({ attemptsMade }) => attemptsMade],
  ["maxAttempts", ({ maxAttempts }) => maxAttempts],
  ["submittedAt", ({ submittedAt }) => submittedAt],
  ["startedAt", ({ startedAt }) => startedAt],
  ["finishedAt", ({ finishedAt }) => finishedAt],
  ["errorCode", ({ error }) => error?.code ?? null],
  ["errorMessage", ({ error }) => error?.message ?? null],
];

function ndjsonLine(job: ListedJob): string {
  return `${JSON.stringify(job)}\n`;
}

function csvLine(job: ListedJob): string {
  return csvRow(columns.map(([, cell]) => cell(job)));
}

import type { Command } from "commander";
import type { ActDetail, ActStatus } from "../../../desk/acts/acts.ts";
import { type AuditFilter, auditFilter } from "../../../desk/audit/audit-filter.ts";
import type { AuditLine } from "../../../desk/audit/audit-lines.ts";
import { exportAudit } from "../../../desk/audit/export-audit.ts";
import { exportFormats } from "../../../desk/jobs/export-format.ts";
import { actOperations } from "../../../desk/operations/acts.ts";
import { auditOperations } from "../../../desk/operations/audit.ts";
import { withOperatorIfAny } from "../connections.ts";
import { addFilterOptions, type FilterAt, type FilterOptions, readFilter } from "../filter-options.ts";
import { requireKnown } from "../known-names.ts";
import { addOperationCommand } from "../operation-command.ts";
import { countSchema } from "../operation-options.ts";
import { readFormat } from "../option-values.ts";
import { printHint, write } from "../screen/output.ts";
import { type ColumnOf, listText, tableOf } from "../screen/table.ts";

/** What is done to many jobs, and what was done by hand. */
export function addActsCommands(program: Command): void {
  const acts = program.command("acts").description("see and stop acts on many jobs");
  addOperationCommand(acts, "list", actOperations.acts, {
    description: "list acts on many jobs: those that have not ended first, then the latest",
    describe: ({ acts }) => describeActs(acts),
  });
  addOperationCommand(acts, "show", actOperations.act, {
    description: "print how far an act is, and what has become of the jobs that it has retried",
    describe: (act) => [...tableOf(actColumns, [act]), ...(act.now === null ? [] : [[nowText(act.now)]])],
    after: ({ id, now }) => now && printHint(`for these jobs: holdfast jobs list --act ${id}`),
  });
  addOperationCommand(acts, "stop", actOperations.stopAct, {
    description: "stop an act; what it has done stays done",
    describe: (act) => describeActs([act]),
  });
  const audit = program.command("audit").description("see who did what, when and why");
  addOperationCommand(audit, "list", auditOperations.auditTrail, {
    description: "list who did what by hand, when and why, the latest first",
    filter: auditFilter,
    instead: { limit: countSchema(10_000, 50, "How many at most.") },
    known: ["queue"],
    isForGuards: true,
    describe: ({ entries }) => describeEntries(entries),
    after: ({ entries }) => {
      const many = entries.find(({ parts }) => parts !== null)?.actId;
      if (many) printHint(`what an act did to each: holdfast audit list --act ${many}`);
    },
  });
  addFilterOptions(auditFilter, audit.command("export"))
    .description("write who did what to standard output, as a file for other programs")
    .option("--format <format>", `one of ${exportFormats.join(", ")}`, "csv")
    .action(exportAll);
}

interface ExportOptions extends FilterOptions {
  readonly format: string;
}

async function exportAll({ format, ...options }: ExportOptions): Promise<void> {
  const filterAt = readFilter(auditFilter, options) as FilterAt<AuditFilter>;
  const chosen = readFormat(format);
  await withOperatorIfAny(async (operator) => {
    const filter = filterAt(await operator.now());
    await requireKnown(operator, filter);
    for await (const page of exportAudit(operator, filter, chosen)) await write(page);
  });
}

const actColumns: readonly ColumnOf<ActStatus>[] = [
  ["id", ({ id }) => id],
  ["act", ({ act, jobs }) => `${act} ${jobs}`],
  ["state", ({ state }) => state],
  ["jobs", ({ done, skipped, total }) => `${done + skipped}/${total ?? "?"}`],
  ["started", ({ startedAt }) => startedAt, 1],
  ["by", ({ by, reason }) => `${by}: ${reason}`],
];
const describeActs = listText("no acts", actColumns);

/** @example "now: 571 completed, 20 failed again, 9 not ended" */
function nowText({ isExact, ...now }: NonNullable<ActDetail["now"]>): string {
  const parts = [
    [now.completed, "completed"],
    [now.failed, "failed again"],
    [now.cancelled, "cancelled"],
    [now.inDoubt, "in doubt"],
    [now.unfinished, "not ended"],
    [now.gone, "not kept any more"],
  ] as const;
  const some = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return `now: ${isExact ? "" : "at least "}${some.join(", ") || "none"}`;
}

const describeEntries = listText<AuditLine>("nothing was done by hand, as far as is known", [
  ["when", ({ at }) => at],
  ["what", ({ what }) => what],
  ["on", onWhat],
  ["jobs", jobsText, 1],
  ["by", ({ by }) => by],
  ["why", ({ evidence }) => evidence],
]);

function ofNoQueue(as: string): string {
  if (as.startsWith("outbox-")) return "the outbox";
  if (as.startsWith("notice")) return "notices";
  return as === "loss-accepted" ? "Holdfast's own queues" : "API keys";
}

/** Of an act on many jobs, its end knows how many. */
function jobsText({ count, actId, jobId, parts }: AuditLine): string | number | null {
  return parts === null || parts.isExact || jobId === actId ? count : `at least ${count}`;
}

function onWhat({ jobId, queue, schedule, as, parts }: AuditLine): string {
  if (schedule !== "") return `schedule ${schedule}`;
  if (jobId === "" && parts !== null) return queue === "" ? "several jobs" : `several jobs of ${queue}`;
  if (jobId === "") return queue === "" ? ofNoQueue(as) : `queue ${queue}`;
  return jobId;
}

import type { Command } from "commander";
import { type ExportFormat, exportFormats, exportJobs } from "../../../desk/jobs/export-jobs.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { withOperator } from "../connections.ts";
import { addFilterOptions, type FilterOptions, filterOf } from "../job-filter-options.ts";
import { requireKnown } from "../known-names.ts";
import { write } from "../screen/output.ts";

interface ExportOptions extends FilterOptions {
  readonly format: string;
}

/** `holdfast jobs export`. */
export function addExportCommand(jobs: Command): void {
  addFilterOptions(jobs.command("export"))
    .description("write all jobs that match to standard output, as a file for other programs")
    .option("--format <format>", `one of ${exportFormats.join(", ")}`, "csv")
    .action(exportAll);
}

async function exportAll({ format, ...options }: ExportOptions): Promise<void> {
  const filterAt = await filterOf(options);
  const chosen = formatOf(format);
  await withOperator(async (operator) => {
    const filter = filterAt(await operator.now());
    await requireKnown(operator, filter);
    for await (const page of exportJobs(operator, filter, chosen)) await write(page);
  });
}

function formatOf(text: string): ExportFormat {
  const format = exportFormats.find((known) => known === text);
  if (format !== undefined) return format;
  throw new HoldfastError("USAGE", `--format: expected one of ${exportFormats.join(", ")}, got "${text}"`);
}

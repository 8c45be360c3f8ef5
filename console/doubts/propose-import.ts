import { type ImportPlan, planImport, readExport } from "../../src/desk/doubts/provider-export.ts";
import type { Doubt } from "../service/answers.ts";
import { serviceNow } from "../service/clock.ts";
import { Problem } from "../service/problem.ts";
import { type DoubtFilter, readDoubts } from "./queries.ts";

export interface ImportRequest {
  readonly file: File;
  /** Empty: every cell or text. */
  readonly column: string;
  readonly filter: DoubtFilter;
  /** Until when the export is complete: what it should name and does not is not done; ISO 8601. Empty: those stay. */
  readonly until: string;
}

/** What an export proposes for the doubts that match. */
export async function proposeImport(request: ImportRequest): Promise<ImportPlan<Doubt>> {
  const { file, column, filter, until } = request;
  const read = readExport(await file.text(), column.trim() || undefined);
  if ("fault" in read)
    throw new Problem({
      status: 0,
      code: "EXPORT",
      title: "The export cannot be read",
      detail: `${file.name}: ${read.fault}`,
    });
  const rest = { completeUntil: Date.parse(until), now: Date.parse(serviceNow()) };
  return planImport(await readDoubts(filter), read.values, until === "" ? undefined : rest);
}

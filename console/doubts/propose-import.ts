import { type ImportPlan, planImport, readExport } from "../../src/lib/provider-export.ts";
import type { Doubt } from "../service/answers.ts";
import { Problem } from "../service/problem.ts";
import { type DoubtFilter, readDoubts } from "./queries.ts";

export interface ImportRequest {
  readonly file: File;
  /** Empty: every cell or text. */
  readonly column: string;
  readonly filter: DoubtFilter;
  /** Of the doubts until then, those that the export does not name are not done; ISO 8601. Empty: they stay. */
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
  return planImport(await readDoubts({ ...filter, until }), read.values, until !== "");
}

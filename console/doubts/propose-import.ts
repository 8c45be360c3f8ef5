import {
  doubtUntil,
  type ImportPlan,
  planImport,
  readExport,
  type UntilDoubt,
} from "../../src/desk/doubts/provider-export.ts";
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
  /** Of `until`, and of instants in the export that name none. */
  readonly zone: string;
}

export interface ImportProposal extends ImportPlan<Doubt> {
  /** Why the export may not be complete until then, as far as its own instants say. */
  readonly doubtfulUntil: UntilDoubt | undefined;
}

/** What an export proposes for the doubts that match. */
export async function proposeImport(request: ImportRequest): Promise<ImportProposal> {
  const { file, column, filter, until, zone } = request;
  const read = readExport(await file.text(), column.trim() || undefined);
  if ("fault" in read)
    throw new Problem({
      status: 0,
      code: "EXPORT",
      title: "The export cannot be read",
      detail: `${file.name}: ${read.fault}`,
    });
  const rest = { completeUntil: Date.parse(until), now: Date.parse(serviceNow()) };
  const doubts = await readDoubts(filter);
  if (until === "") return { ...planImport(doubts, read.values, undefined), doubtfulUntil: undefined };
  return {
    ...planImport(doubts, read.values, rest),
    doubtfulUntil: doubtUntil(read.instants, zone, rest),
  };
}

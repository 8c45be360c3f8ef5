import { HoldfastError } from "../errors/holdfast-error.ts";
import { evidenceOfRest, type ImportPlan, planImport } from "../lib/provider-export.ts";
import { username } from "../lib/username.ts";
import type { Doubt } from "../operate/doubts.ts";
import type { DoubtId, ManyDoubts } from "../operate/doubts-many.ts";
import type { Operator } from "../operate/operator.ts";
import { canAsk, confirm } from "./confirm.ts";
import { withOperator } from "./connections.ts";
import { type DoubtFilterOptions, doubtFilterOf } from "./doubt-filter-options.ts";
import { exitCode } from "./exit-code.ts";
import { requireKnown } from "./known-names.ts";
import { print, printHint } from "./output.ts";
import { readValues } from "./read-values.ts";
import { tableLines } from "./table.ts";

/** How commands act on many doubts. */
export interface ManyOptions extends DoubtFilterOptions {
  readonly evidence: string;
  readonly all?: true;
  readonly dryRun?: true;
  readonly yes?: true;
}

interface ImportOptions extends ManyOptions {
  readonly column?: string;
  readonly rest?: string;
}

type As = ManyDoubts["as"];
interface Proposed {
  readonly doubt: Doubt;
  readonly as: As;
}

const AT_ONCE = 1_000;
const LISTED_MAX = 10_000;

/** Shows what matches, asks, and resolves it with one piece of evidence. */
export async function resolveMatching(options: ManyOptions & { readonly as: As }): Promise<void> {
  const { as, evidence, all } = options;
  requireConsent(options);
  const filter = doubtFilterOf(options);
  const isNarrow = Object.values(filter).some((value) => value !== undefined);
  if (isNarrow === (all === true))
    throw new HoldfastError(
      "USAGE",
      "doubts resolve: expected <id> and <effect>, a filter such as --type <type>, or --all",
    );
  await withOperator(async (operator) => {
    await requireKnown(operator, { type: filter.type });
    const wanted = { as, evidence, by: username(), ...(all ? { all } : { filter }) };
    const preview = await operator.resolveMany({ ...wanted, dryRun: true });
    printProposed(preview.doubts.map((doubt) => ({ doubt, as })));
    if (preview.count > preview.doubts.length) print(`and ${preview.count - preview.doubts.length} more`);
    if (!(await isWanted(options, preview.count, `Resolve ${effects(preview.count)} as ${textOf(as)}?`)))
      return;
    await resolveAll(operator, { ...wanted, before: preview.before });
  });
}

/** Shows which doubts an export names, asks, and resolves those as done; the rest as not done where that is asked for. */
export async function importExport(file: string, options: ImportOptions): Promise<void> {
  const { evidence, column, rest } = options;
  requireConsent(options);
  if (evidence.trim() === "") throw new HoldfastError("USAGE", "--evidence: expected a text");
  if (rest !== undefined && rest !== "not-done")
    throw new HoldfastError("USAGE", `--rest: expected not-done, got "${rest}"`);
  const filter = doubtFilterOf(options);
  const values = await readValues(file, column);
  await withOperator(async (operator) => {
    await requireKnown(operator, { type: filter.type });
    const doubts = await operator.doubts(0, LISTED_MAX, filter);
    const plan = planImport(doubts, values, rest !== undefined);
    printPlan(plan, doubts.length);
    const { done, notDone } = plan;
    const question = `Resolve ${done.length} as done${notDone.length > 0 ? `, ${notDone.length} as not done` : ""}?`;
    if (!(await isWanted(options, done.length + notDone.length, question))) return;
    const by = username();
    await resolveNamed(operator, done, { as: "done", evidence, by });
    await resolveNamed(operator, notDone, { as: "not-done", evidence: evidenceOfRest(evidence), by });
  });
}

function printPlan({ done, notDone, left }: ImportPlan<Doubt>, count: number): void {
  printProposed([...proposed(done, "done"), ...proposed(notDone, "not-done")]);
  const rest = left > 0 ? `; ${left} ${left === 1 ? "stays" : "stay"} in doubt` : "";
  print(
    `${done.length} of ${effects(count)} in doubt ${done.length === 1 ? "is" : "are"} in the export${rest}`,
  );
  if (notDone.length === 0 && left > 0) printHint("to resolve the others as not done: --rest not-done");
}

function proposed(doubts: readonly Doubt[], as: As): Proposed[] {
  return doubts.map((doubt) => ({ doubt, as }));
}

function requireConsent({ dryRun, yes }: ManyOptions): void {
  if (!dryRun && !yes && !canAsk())
    throw new HoldfastError("USAGE", "expected --yes, or --dry-run: there is no terminal to ask on");
}

async function isWanted({ dryRun, yes }: ManyOptions, count: number, question: string): Promise<boolean> {
  if (dryRun || count === 0) return false;
  if (yes || (await confirm(question))) return true;
  print("nothing was changed");
  process.exitCode = exitCode.failed;
  return false;
}

async function resolveNamed(
  operator: Operator,
  doubts: readonly DoubtId[],
  how: Pick<ManyDoubts, "as" | "evidence" | "by">,
): Promise<void> {
  const ids = doubts.map(({ jobId, effect }) => ({ jobId, effect }));
  for (let at = 0; at < ids.length; at += AT_ONCE)
    await resolveAll(operator, { ...how, ids: ids.slice(at, at + AT_ONCE) });
}

async function resolveAll(operator: Operator, wanted: ManyDoubts): Promise<void> {
  let resolved = 0;
  let skipped = 0;
  let remaining = 1;
  while (remaining > 0) {
    const answer = await operator.resolveMany(wanted);
    resolved += answer.resolved;
    skipped += answer.skipped.length;
    remaining = answer.remaining;
  }
  print(
    `${effects(resolved)} resolved as ${textOf(wanted.as)}${skipped > 0 ? `; ${skipped} had been resolved already` : ""}`,
  );
}

function printProposed(rows: readonly Proposed[]): void {
  if (rows.length === 0) {
    print("nothing in doubt matches");
    return;
  }
  const cells = rows.map(({ as, doubt: { jobId, type, idempotencyKey, effect, since } }) => [
    textOf(as),
    jobId,
    type ?? "",
    idempotencyKey ?? "",
    effect,
    since,
  ]);
  print(tableLines(columns, cells));
}

const columns = [
  "as",
  "job",
  "type",
  { heading: "key", leaves: 1 },
  "effect",
  { heading: "since", leaves: 2 },
];

function textOf(as: As): string {
  return as === "done" ? "done" : "not done";
}

function effects(count: number): string {
  return `${count} ${count === 1 ? "effect" : "effects"}`;
}

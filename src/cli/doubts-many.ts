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
import { interruptible } from "./interruptible.ts";
import { requireKnown } from "./known-names.ts";
import { print, printError, printHint, printJson } from "./output.ts";
import { showPreview } from "./preview.ts";
import { readValues } from "./read-values.ts";
import { tableLines } from "./table.ts";
import type { Cell, Lines } from "./text.ts";

/** How commands act on many doubts. */
export interface ManyOptions extends DoubtFilterOptions {
  readonly evidence: string;
  readonly all?: true;
  readonly dryRun?: true;
  readonly yes?: true;
  readonly json?: true;
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
  const isNarrow = Object.values(doubtFilterOf(options)).some((value) => value !== undefined);
  if (isNarrow === (all === true))
    throw new HoldfastError(
      "USAGE",
      "doubts resolve: expected <id> and <effect>, a filter such as --type <type>, or --all",
    );
  await withOperator(async (operator) => {
    await requireKnown(operator, { type: options.type });
    const filter = doubtFilterOf(options, await operator.now());
    const wanted = { as, evidence, by: username(), ...(all ? { all } : { filter }) };
    const { count, isExact, before, doubts } = await operator.resolveMany({ ...wanted, dryRun: true });
    const lines = [
      ...proposedLines(doubts.map((doubt) => ({ doubt, as }))),
      ...(count > doubts.length ? [[`and ${count - doubts.length} more`]] : []),
    ];
    const value = { as, count, isExact, doubts: doubts.map(shown) };
    const question = `Resolve ${effects(count)} as ${textOf(as)}?`;
    if (!(await isWanted(options, { lines, value, count, question }))) return;
    const outcome = await resolveAll(operator, { ...wanted, before });
    if (options.json) printJson({ as, ...outcome });
    else print(describeResolved(as, outcome));
  });
}

/** Shows which doubts an export names, asks, and resolves those as done; the rest as not done where that is asked for. */
export async function importExport(file: string, options: ImportOptions): Promise<void> {
  const { evidence, column, rest } = options;
  requireConsent(options);
  if (evidence.trim() === "") throw new HoldfastError("USAGE", "--evidence: expected a text");
  if (rest !== undefined && rest !== "not-done")
    throw new HoldfastError("USAGE", `--rest: expected not-done, got "${rest}"`);
  doubtFilterOf(options);
  const values = await readValues(file, column);
  await withOperator(async (operator) => {
    await requireKnown(operator, { type: options.type });
    const filter = doubtFilterOf(options, await operator.now());
    const doubts = await operator.doubts(0, LISTED_MAX, filter);
    const plan = planImport(doubts, values, rest !== undefined);
    const { done, notDone, left } = plan;
    const value = { done: done.map(shown), notDone: notDone.map(shown), left };
    const count = done.length + notDone.length;
    const question = `Resolve ${done.length} as done${notDone.length > 0 ? `, ${notDone.length} as not done` : ""}?`;
    if (!options.json && notDone.length === 0 && left > 0)
      printHint("to resolve the others as not done: --rest not-done");
    const isAgreed = await isWanted(options, { lines: planLines(plan), value, count, question });
    if (!isAgreed) return;
    const by = username();
    const resolve = async (as: As, named: readonly Doubt[], text: string) => {
      const outcome = await resolveNamed(operator, named, { as, evidence: text, by });
      if (!options.json && named.length > 0) print(describeResolved(as, outcome));
      return outcome;
    };
    const asDone = await resolve("done", done, evidence);
    const asNotDone = await resolve("not-done", notDone, evidenceOfRest(evidence));
    if (options.json) printJson({ done: asDone, notDone: asNotDone, left });
  });
}

function planLines({ done, notDone, left }: ImportPlan<Doubt>): readonly (readonly Cell[])[] {
  const count = done.length + notDone.length + left;
  const rest = left > 0 ? `; ${left} ${left === 1 ? "stays" : "stay"} in doubt` : "";
  return [
    ...proposedLines([...proposed(done, "done"), ...proposed(notDone, "not-done")]),
    [`${done.length} of ${effects(count)} in doubt ${done.length === 1 ? "is" : "are"} in the export${rest}`],
  ];
}

/** Without what only Redis needs to know, as over HTTP. */
function shown({ dedupKey: _, ...doubt }: Doubt) {
  return doubt;
}

function proposed(doubts: readonly Doubt[], as: As): Proposed[] {
  return doubts.map((doubt) => ({ doubt, as }));
}

function requireConsent({ dryRun, yes }: ManyOptions): void {
  if (!dryRun && !yes && !canAsk())
    throw new HoldfastError("USAGE", "expected --yes, or --dry-run: there is no terminal to ask on");
}

interface Proposal {
  readonly lines: Lines;
  readonly value: object;
  readonly count: number;
  readonly question: string;
}

/** Shows what would be resolved, and asks. */
async function isWanted(options: ManyOptions, { lines, value, count, question }: Proposal): Promise<boolean> {
  const isLast = options.dryRun === true || count === 0;
  showPreview(options, { lines, value, isLast });
  if (isLast) return false;
  if (options.yes || (await confirm(question))) return true;
  printError("nothing was changed");
  process.exitCode = exitCode.failed;
  return false;
}

/** How many were resolved, and how many others had resolved already. */
interface Resolved {
  readonly resolved: number;
  readonly skipped: number;
}

async function resolveNamed(
  operator: Operator,
  doubts: readonly DoubtId[],
  how: Pick<ManyDoubts, "as" | "evidence" | "by">,
): Promise<Resolved> {
  const ids = doubts.map(({ jobId, effect }) => ({ jobId, effect }));
  const sum = { resolved: 0, skipped: 0 };
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const { resolved, skipped } = await resolveAll(operator, { ...how, ids: ids.slice(at, at + AT_ONCE) });
    sum.resolved += resolved;
    sum.skipped += skipped;
  }
  return sum;
}

async function resolveAll(operator: Operator, wanted: ManyDoubts): Promise<Resolved> {
  const sum = { resolved: 0, skipped: 0 };
  const resolveEach = async () => {
    for (let remaining = 1; remaining > 0; ) {
      const answer = await operator.resolveMany(wanted);
      sum.resolved += answer.resolved;
      sum.skipped += answer.skipped.length;
      remaining = answer.remaining;
    }
  };
  await interruptible(resolveEach, () => `stopped: at least ${describeResolved(wanted.as, sum)}`);
  return sum;
}

function describeResolved(as: As, { resolved, skipped }: Resolved): string {
  return `${effects(resolved)} resolved as ${textOf(as)}${skipped > 0 ? `; ${skipped} had been resolved already` : ""}`;
}

function proposedLines(rows: readonly Proposed[]): readonly (readonly Cell[])[] {
  if (rows.length === 0) return [["nothing in doubt matches"]];
  const cells = rows.map(({ as, doubt: { jobId, type, idempotencyKey, effect, since } }) => [
    textOf(as),
    jobId,
    type ?? "",
    idempotencyKey ?? "",
    effect,
    since,
  ]);
  return tableLines(columns, cells);
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

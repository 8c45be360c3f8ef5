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
import { seenText } from "./seen-text.ts";
import { tableLines } from "./table.ts";

/** How commands act on many doubts. */
export interface ManyOptions extends DoubtFilterOptions {
  readonly evidence: string;
  readonly all?: true;
  readonly dryRun?: true;
  readonly yes?: true;
  readonly confirm?: true;
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
    const confirm = as === "not-done" && (await mayConfirm(options, preview.doubts));
    await resolveAll(operator, { ...wanted, confirm, before: preview.before });
  });
}

/** Shows which doubts an export names, asks, and resolves those as done; the rest as not done where that is asked for. */
export async function importExport(file: string, options: ImportOptions): Promise<void> {
  const { evidence, column, rest } = options;
  requireConsent(options);
  if (evidence.trim() === "") throw new HoldfastError("USAGE", "--evidence: expected a text");
  if (rest !== undefined && rest !== "not-done")
    throw new HoldfastError("USAGE", `--rest: expected not-done, got "${rest}"`);
  const { until: completeUntil, ...filter } = doubtFilterOf(options);
  if (rest !== undefined && completeUntil === undefined)
    throw new HoldfastError("USAGE", "--rest: needs --until, the instant until which the export is complete");
  const values = await readValues(file, column);
  await withOperator(async (operator) => {
    await requireKnown(operator, { type: filter.type });
    const isRest = rest !== undefined && completeUntil !== undefined;
    // An effect that is named is done, whenever it began.
    const doubts = await operator.doubts(
      0,
      LISTED_MAX,
      isRest ? filter : { ...filter, until: completeUntil },
    );
    const now = await operator.now();
    const plan = planImport(doubts, values, isRest ? { completeUntil, now } : undefined);
    printPlan(plan, doubts.length, isRest);
    const { done, notDone } = plan;
    const question = `Resolve ${done.length} as done${notDone.length > 0 ? `, ${notDone.length} as not done` : ""}?`;
    if (!(await isWanted(options, done.length + notDone.length, question))) return;
    const by = username();
    await resolveNamed(operator, done, { as: "done", evidence, by });
    const confirm = await mayConfirm(options, notDone);
    const how = { as: "not-done", evidence: evidenceOfRest(evidence), by, confirm, completeUntil } as const;
    await resolveNamed(operator, notDone, how);
  });
}

function printPlan({ done, notDone, left }: ImportPlan<Doubt>, count: number, isRest: boolean): void {
  printProposed([...proposed(done, "done"), ...proposed(notDone, "not-done")]);
  const rest = left > 0 ? `; ${left} ${left === 1 ? "stays" : "stay"} in doubt` : "";
  print(
    `${done.length} of ${effects(count)} in doubt ${done.length === 1 ? "is" : "are"} in the export${rest}`,
  );
  if (left === 0) return;
  printHint(
    isRest
      ? "those in doubt since a minute before --until, or later, stay: an export may not name them yet"
      : "to resolve the others as not done: --rest not-done --until INSTANT, until which the export is complete",
  );
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

/** Asks again where first runs may still be under way. Without a yes, those stay in doubt. */
async function mayConfirm({ confirm, yes }: ManyOptions, doubts: readonly Doubt[]): Promise<boolean> {
  const pending = doubts.filter(({ mayStillRun }) => mayStillRun);
  if (pending.length === 0 || confirm) return confirm === true;
  const [first] = pending;
  const found = `the first ${pending.length === 1 ? "run" : "runs"} of ${effects(pending.length)} may still be under way (${first && seenText(first)})`;
  if (yes || !canAsk()) return false;
  return await isConfirmed(`${found}. Resolve these, too?`);
}

/** Asks; says it where the answer is no. */
export async function isConfirmed(question: string): Promise<boolean> {
  if (await confirm(question)) return true;
  print("it was left in doubt");
  process.exitCode = exitCode.failed;
  return false;
}

async function resolveNamed(
  operator: Operator,
  doubts: readonly DoubtId[],
  how: Pick<ManyDoubts, "as" | "evidence" | "by" | "confirm" | "completeUntil">,
): Promise<void> {
  const ids = doubts.map(({ jobId, effect }) => ({ jobId, effect }));
  for (let at = 0; at < ids.length; at += AT_ONCE)
    await resolveAll(operator, { ...how, ids: ids.slice(at, at + AT_ONCE) });
}

async function resolveAll(operator: Operator, wanted: ManyDoubts): Promise<void> {
  let resolved = 0;
  let before = 0;
  let remaining = 1;
  // Those that stay are named by each call.
  const pending = new Set<string>();
  while (remaining > 0) {
    const answer = await operator.resolveMany(wanted);
    resolved += answer.resolved;
    for (const { jobId, effect, code } of answer.skipped) {
      if (code === "RUN_MAY_BE_PENDING") pending.add(`${jobId} ${effect}`);
      else before += 1;
    }
    remaining = answer.remaining;
  }
  print(
    `${effects(resolved)} resolved as ${textOf(wanted.as)}${before > 0 ? `; ${before} had been resolved already` : ""}`,
  );
  if (pending.size === 0) return;
  print(
    `${effects(pending.size)} may still be under way, and ${pending.size === 1 ? "stays" : "stay"} in doubt`,
  );
  printHint("to resolve these as well: --confirm");
  process.exitCode = exitCode.failed;
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

import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { counted } from "../../desk/counted.ts";
import type { SeenDoubt } from "../../desk/doubts/doubt-filter.ts";
import type { Doubt } from "../../desk/doubts/doubts.ts";
import type { ManyDoubts } from "../../desk/doubts/doubts-many.ts";
import {
  doubtUntil,
  evidenceOfRest,
  type ImportPlan,
  planImport,
  readExport,
  wallTime,
} from "../../desk/doubts/provider-export.ts";
import { isNarrow } from "../../desk/filter.ts";
import type { Operator } from "../../desk/operator.ts";
import { durationText } from "../../platform/lib/duration-text.ts";
import { isoTime } from "../../platform/lib/iso-time.ts";
import { username } from "../username.ts";
import { withOperatorIfAny } from "./connections.ts";
import { exitCode, usage } from "./exit-code.ts";
import { doubtFilterOf, type FilterOptions } from "./filter-options.ts";
import { requireKnown } from "./known-names.ts";
import { requireText } from "./option-values.ts";
import {
  type ConsentOptions,
  canAsk,
  isConfirmed,
  letUndo,
  mayAct,
  requireConsent,
} from "./screen/confirm.ts";
import { seenText } from "./screen/job-text.ts";
import { print, printHint, printJson, printNote } from "./screen/output.ts";
import { type ColumnOf, tableOf } from "./screen/table.ts";
import type { Cell } from "./screen/text.ts";
import { interruptible } from "./system/signals.ts";

export interface ManyOptions extends FilterOptions, ConsentOptions {
  readonly evidence: string;
  readonly all?: true;
  readonly confirm?: true;
  readonly now?: true;
}

interface ImportOptions extends ManyOptions {
  readonly column?: string;
  readonly rest?: string;
  readonly zone?: string;
}

type As = ManyDoubts["as"];
interface Proposed {
  readonly doubt: Doubt;
  readonly as: As;
}

const AT_ONCE = 1_000;
const LISTED_MAX = 10_000;
/** After a no. */
export const LEFT_IN_DOUBT = "it was left in doubt";

/** Shows what matches, asks, and resolves it with one piece of evidence. */
export async function resolveMatching(options: ManyOptions & { readonly as: As }): Promise<void> {
  const { as, evidence, all } = options;
  requireConsent(options);
  const filterAt = doubtFilterOf(options);
  if (isNarrow(filterAt(Date.now())) === (all === true))
    throw usage("doubts resolve: expected <id> and <effect>, a filter such as --type <type>, or --all");
  await withOperatorIfAny(async (operator) => {
    await requireKnown(operator, { type: options.type });
    const filter = filterAt(await operator.now());
    const wanted = { as, evidence, by: username(), actId: randomUUID(), ...(all ? { all } : { filter }) };
    const { count, isExact, before, doubts } = await operator.resolveMany({ ...wanted, dryRun: true });
    const lines = [
      ...proposedLines(doubts.map((doubt) => ({ doubt, as }))),
      ...(count > doubts.length ? [[`and ${count - doubts.length} more`]] : []),
    ];
    const value = { as, count, isExact, doubts: doubts.map(shown) };
    const question = `Resolve ${counted(count, "effect")} as ${textOf(as)}?`;
    if (!(await mayAct(options, { lines, value, isEmpty: count === 0, question }))) return;
    const confirm = as === "not-done" && (await mayConfirm(options, doubts));
    await letUndo(options, "resolving them");
    const outcome = await resolveAll(operator, { ...wanted, confirm, before });
    if (options.json) printJson({ as, ...outcome });
    else printResolved(as, outcome);
  });
}

/** A day, or a clock's time without a zone, as the zone's; whatever else it is, as it was. @throws HoldfastError `USAGE` */
function inZone({ until, zone }: ImportOptions): string | undefined {
  if (zone === undefined || until === undefined) return until;
  if (wallTime("2026-01-01", zone) === undefined)
    throw usage(`--zone: expected the name of a time zone, such as Europe/Berlin or UTC, got "${zone}"`);
  const at = wallTime(until, zone);
  return at === undefined ? until : isoTime(at);
}

/** @throws HoldfastError `USAGE` */
function importOptions(given: ImportOptions): ImportOptions {
  const until = inZone(given);
  const options = until === undefined ? given : { ...given, until };
  const { evidence, rest } = options;
  requireConsent(options);
  requireText("--evidence", evidence);
  if (rest !== undefined && rest !== "not-done") throw usage(`--rest: expected not-done, got "${rest}"`);
  if (rest !== undefined && doubtFilterOf(options)(Date.now()).until === undefined)
    throw usage("--rest: needs --until, the instant until which the export is complete");
  return options;
}

/**
 * Whether the export can be complete until then, as far as its own instants say; otherwise asks.
 *
 * @throws HoldfastError `USAGE` where they need a zone, and where nobody can be asked
 */
async function isUntilRight(
  { yes, confirm, dryRun, zone }: ImportOptions,
  instants: readonly string[],
  times: { readonly completeUntil: number; readonly now: number },
): Promise<boolean> {
  const doubt = doubtUntil(instants, zone, times);
  if (doubt === undefined) return true;
  if (doubt.kind === "no-zone")
    throw usage(
      `the export says ${doubt.instant}, without a time zone: say which with --zone, e.g. --zone UTC`,
    );
  const found = `the latest instant in the export is ${isoTime(doubt.latest)}, ${durationText(doubt.byMs)} before ${isoTime(Math.min(times.completeUntil, times.now))}`;
  printNote(`${found}: what was in doubt in between would run again. Is --until right, and its zone?`);
  if (dryRun || confirm) return true;
  if (yes || !canAsk())
    throw usage(`${found}: give the right --until, or --confirm that the export is complete until then`);
  return await isConfirmed("Is the export complete until then?", LEFT_IN_DOUBT);
}

/** Shows which doubts an export names, asks, and resolves those as done, and the rest as not done if that is asked for. */
export async function importExport(file: string, given: ImportOptions): Promise<void> {
  const options = importOptions(given);
  const { column, rest } = options;
  const { values, instants } = await readExportFile(file, column);
  await withOperatorIfAny(async (operator) => {
    await requireKnown(operator, { type: options.type });
    const now = await operator.now();
    const { until: completeUntil, ...filter } = doubtFilterOf(options)(now);
    const isRest = rest !== undefined && completeUntil !== undefined;
    if (isRest && !(await isUntilRight(options, instants, { completeUntil, now }))) return;
    // An effect that is named is done, whenever it began.
    const named = isRest ? filter : { ...filter, until: completeUntil };
    const doubts = await operator.doubts(0, LISTED_MAX, named);
    const plan = planImport(doubts, values, isRest ? { completeUntil, now } : undefined);
    const { done, notDone, left } = plan;
    const value = { done: done.map(shown), notDone: notDone.map(shown), left };
    const count = done.length + notDone.length;
    const question = `Resolve ${done.length} as done${notDone.length > 0 ? `, ${notDone.length} as not done` : ""}?`;
    if (!options.json && left > 0) hintLeft(isRest);
    const proposal = { lines: planLines(plan), value, isEmpty: count === 0, question };
    if (!(await mayAct(options, proposal))) return;
    await letUndo(options, "resolving them");
    await applyPlan(operator, plan, { ...options, completeUntil });
  });
}

interface Applied extends ImportOptions {
  readonly completeUntil: number | undefined;
}

async function applyPlan(
  operator: Operator,
  { done, notDone, left }: ImportPlan<Doubt>,
  { completeUntil, ...options }: Applied,
): Promise<void> {
  const { evidence, json } = options;
  const about = { by: username(), actId: randomUUID() };
  const resolve = async (named: readonly Doubt[], how: HowResolved) => {
    const outcome = await resolveNamed(operator, named, how);
    if (!json && named.length > 0) printResolved(how.as, outcome);
    return outcome;
  };
  const asDone = await resolve(done, { as: "done", evidence, ...about });
  const confirm = await mayConfirm(options, notDone);
  const how = {
    as: "not-done" as const,
    evidence: evidenceOfRest(evidence),
    ...about,
    confirm,
    completeUntil,
  };
  const asNotDone = await resolve(notDone, how);
  if (json) printJson({ done: asDone, notDone: asNotDone, left });
}

function planLines({ done, notDone, left }: ImportPlan<Doubt>): readonly (readonly Cell[])[] {
  const count = done.length + notDone.length + left;
  const rest = left > 0 ? `; ${left} ${left === 1 ? "stays" : "stay"} in doubt` : "";
  return [
    ...proposedLines([...proposed(done, "done"), ...proposed(notDone, "not-done")]),
    [
      `${done.length} of ${counted(count, "effect")} in doubt ${done.length === 1 ? "is" : "are"} in the export${rest}`,
    ],
  ];
}

function hintLeft(isRest: boolean): void {
  printHint(
    isRest
      ? "those in doubt since a minute before --until, or later, stay: an export may not name them yet"
      : "to resolve the others as not done: --rest not-done --until INSTANT, until which the export is complete",
  );
}

/** Without what only Redis needs to know, as over HTTP. */
function shown({ dedupKey: _, ...doubt }: Doubt) {
  return doubt;
}

function proposed(doubts: readonly Doubt[], as: As): Proposed[] {
  return doubts.map((doubt) => ({ doubt, as }));
}

/** Asks again where "not done" may be wrong: the first run may still be under way, or has reported its success since. Without a yes, those stay in doubt. */
async function mayConfirm({ confirm, yes }: ManyOptions, doubts: readonly Doubt[]): Promise<boolean> {
  const pending = doubts.filter(({ mayStillRun }) => mayStillRun);
  const saidDone = doubts.filter(({ report }) => report === "done");
  if (pending.length + saidDone.length === 0 || confirm) return confirm === true;
  if (yes || !canAsk()) return false;
  const [first] = pending;
  const found = [
    first &&
      `the first ${pending.length === 1 ? "run" : "runs"} of ${counted(pending.length, "effect")} may still be under way (${seenText(first)})`,
    saidDone.length > 0 && `${counted(saidDone.length, "effect")} had a late report of success`,
  ].filter(Boolean);
  return await isConfirmed(`${found.join("; ")}. Resolve these, too?`, LEFT_IN_DOUBT);
}

type HowResolved = Pick<ManyDoubts, "as" | "evidence" | "by" | "confirm" | "completeUntil" | "actId">;

interface Resolved {
  readonly resolved: number;
  /** Those that others had resolved already. */
  readonly skipped: number;
  /** Those that stay in doubt, because they may still be under way. */
  readonly pending: number;
  /** Those that stay in doubt, because their run has reported since that they were done. */
  readonly saidDone: number;
}

async function resolveNamed(
  operator: Operator,
  doubts: readonly SeenDoubt[],
  how: HowResolved,
): Promise<Resolved> {
  const ids = doubts.map(({ jobId, effect, since }) => ({ jobId, effect, since }));
  const sum = { resolved: 0, skipped: 0, pending: 0, saidDone: 0 };
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    const outcome = await resolveAll(operator, { ...how, ids: ids.slice(at, at + AT_ONCE) });
    sum.resolved += outcome.resolved;
    sum.skipped += outcome.skipped;
    sum.pending += outcome.pending;
    sum.saidDone += outcome.saidDone;
  }
  return sum;
}

async function resolveAll(operator: Operator, wanted: ManyDoubts): Promise<Resolved> {
  const sum = { resolved: 0, skipped: 0 };
  // Those that stay are named by each call.
  const pending = new Set<string>();
  const saidDone = new Set<string>();
  const outcome = () => ({ ...sum, pending: pending.size, saidDone: saidDone.size });
  const resolveEach = async () => {
    for (let remaining = 1; remaining > 0; ) {
      const answer = await operator.resolveMany(wanted);
      sum.resolved += answer.resolved;
      for (const { jobId, effect, code } of answer.skipped) {
        if (code === "RUN_MAY_BE_PENDING") pending.add(`${jobId} ${effect}`);
        else if (code === "RUN_SAID_DONE") saidDone.add(`${jobId} ${effect}`);
        else sum.skipped += 1;
      }
      remaining = answer.remaining;
    }
  };
  await interruptible(resolveEach, () => `stopped: at least ${describeResolved(wanted.as, outcome())}`);
  if (pending.size + saidDone.size > 0) process.exitCode = exitCode.failed;
  return outcome();
}

function printResolved(as: As, outcome: Resolved): void {
  print(describeResolved(as, outcome));
  const { pending, saidDone } = outcome;
  const printStaying = (count: number, why: string) => {
    if (count > 0)
      print(`${counted(count, "effect")} ${why}, and ${count === 1 ? "stays" : "stay"} in doubt`);
  };
  printStaying(pending, "may still be under way");
  printStaying(saidDone, "had a late report of success");
  if (pending + saidDone > 0) printHint("to resolve these as well: --confirm");
}

function describeResolved(as: As, { resolved, skipped }: Resolved): string {
  return `${counted(resolved, "effect")} resolved as ${textOf(as)}${skipped > 0 ? `; ${skipped} had been resolved already` : ""}`;
}

function proposedLines(rows: readonly Proposed[]): readonly (readonly Cell[])[] {
  if (rows.length === 0) return [["nothing in doubt matches"]];
  return tableOf(columns, rows);
}

const columns: readonly ColumnOf<Proposed>[] = [
  ["as", ({ as }) => textOf(as)],
  ["job", ({ doubt }) => doubt.jobId],
  ["type", ({ doubt }) => doubt.type],
  ["key", ({ doubt }) => doubt.idempotencyKey, 1],
  ["effect", ({ doubt }) => doubt.effect],
  ["since", ({ doubt }) => doubt.since, 2],
];

function textOf(as: As): string {
  return as === "done" ? "done" : "not done";
}

/**
 * Reads the texts in an export, as `readExport` finds them.
 *
 * @throws HoldfastError `USAGE`
 */
export async function readExportFile(file: string, column?: string) {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw usage(`${file}: cannot be read`, { cause });
  });
  const read = readExport(text, column);
  if ("fault" in read) throw usage(`${file}: ${read.fault}`);
  return read;
}

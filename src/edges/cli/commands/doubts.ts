import type { Command } from "commander";
import type { Resolution, ResolvedJob } from "../../../core/job/resolution.ts";
import { doubtFilter, SEARCHED_MAX } from "../../../desk/doubts/doubt-filter.ts";
import type { DoubtGroup } from "../../../desk/doubts/doubt-groups.ts";
import type { Doubt } from "../../../desk/doubts/doubts.ts";
import {
  type GuardedEffectDetail,
  type GuardedEffectView,
  guardedEffectFilter,
} from "../../../desk/guarded/guarded-effects.ts";
import { doubtOperations } from "../../../desk/operations/doubts.ts";
import { guardedOperations } from "../../../desk/operations/guarded.ts";
import type { Shown } from "../../../desk/operations/operation.ts";
import type { Operator } from "../../../desk/operator.ts";
import { evidenceText, hintText } from "../../../evidence/outgoing/outgoing-text.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { username } from "../../username.ts";
import { runAskProbes } from "../ask-probes.ts";
import { withOperatorIfAny } from "../connections.ts";
import { importExport, LEFT_IN_DOUBT, type ManyOptions, resolveMatching } from "../doubts-many.ts";
import { usage } from "../exit-code.ts";
import { addFilterOptions } from "../filter-options.ts";
import { addOperationCommand } from "../operation-command.ts";
import { requireText } from "../option-values.ts";
import { canAsk, isConfirmed, letUndo } from "../screen/confirm.ts";
import { seenText } from "../screen/job-text.ts";
import { printHint, printOutcome } from "../screen/output.ts";
import { listText } from "../screen/table.ts";
import type { Lines } from "../screen/text.ts";

interface ResolveOptions extends ManyOptions {
  readonly as: string;
  readonly result?: string;
}

type ListedDoubt = Shown<Omit<Doubt, "dedupKey">>;

const LISTED_MAX = 1_000;

export function addDoubtsCommands(program: Command): void {
  const doubts = program.command("doubts").description("list and resolve side effects in doubt");
  addOperationCommand(doubts, "list", doubtOperations.doubts, {
    description: "list side effects that may or may not have happened, oldest first",
    fixed: { offset: 0, limit: LISTED_MAX },
    filter: doubtFilter,
    known: ["type"],
    isForGuards: true,
    describe: ({ doubts }) => describe(doubts),
    after({ doubts: [first] }) {
      if (first === undefined) return;
      const one = `holdfast doubts resolve ${first.jobId} ${first.effect}`;
      printHint(`to resolve one: ${one} --as done|not-done --evidence "…"`);
    },
  });
  addOperationCommand(doubts, "groups", doubtOperations.doubtGroups, {
    description: "group side effects in doubt by what was seen, type and effect, the largest group first",
    filter: doubtFilter,
    known: ["type"],
    isForGuards: true,
    describe: ({ groups }) => describeGroups(groups),
    lines: ({ groups }) => groups,
    after({ isExact }) {
      if (!isExact) printHint("there are more doubts than one look reads: the counts are at least so high");
    },
  });
  addActs(doubts);
  addEffectsCommands(program);
}

/** They ask on the terminal before they act. */
function addActs(doubts: Command): void {
  addActOptions(doubts.command("probe"))
    .description("ask the effects' own probes, of jobs or of all that match: their jobs run again for that")
    .argument(
      "[id...]",
      "ids of jobs, instead of a filter; after an id, the one effect that is meant, as the list names it",
    )
    .option("--why <text>", "kept in the audit log")
    .option("--all", "instead of a filter: everything that is in doubt")
    .action(runAskProbes);
  addManyOptions(doubts.command("resolve"))
    .description("resolve one, or all that match, so that their jobs continue")
    .argument("[id]", "the job's id, instead of a filter")
    .argument("[effect]", "the effect, as the list names it")
    .requiredOption(
      "--as <done|not-done>",
      "done: it happened, and is not run again; not-done: it did not happen, and may run",
    )
    .requiredOption("--evidence <text>", "how you know; kept in the audit log")
    .option("--result <json>", "of one: what the effect would have returned; only with --as done")
    .option("--all", "instead of a filter: everything that is in doubt")
    .action(resolve);
  addManyOptions(doubts.command("import"))
    .description("resolve as done what a provider's export names by its effect key")
    .argument("<file>", "a CSV file with a heading, or NDJSON: one JSON object a line")
    .requiredOption("--evidence <text>", "what the export is; kept in the audit log with each")
    .option("--column <name>", "only this column or field can hold effect keys; a.b is b inside a")
    .option(
      "--rest <not-done>",
      "resolve as not done those that match the filter, began a minute before --until, and are not in the export",
    )
    .option(
      "--zone <name>",
      "the time zone of --until and of the export's instants, where they name none, e.g. Europe/Berlin",
    )
    .action(importExport);
}

function addEffectsCommands(program: Command): void {
  const effects = program
    .command("effects")
    .description("see side effects that no job runs: those of guards");
  addOperationCommand(effects, "list", guardedOperations.guardedEffects, {
    description: "list those that are known, the latest first",
    filter: guardedEffectFilter,
    isForGuards: true,
    describe: ({ effects }) => describeEffects(effects),
  });
  addOperationCommand(effects, "show", guardedOperations.guardedEffect, {
    description: "show what is known of one, and what people said of it",
    isForGuards: true,
    describe: describeEffect,
  });
}

function addManyOptions(command: Command): Command {
  return addActOptions(command)
    .option("--confirm", "say not done also where the first run may still be under way, and act later")
    .option(
      "--now",
      "do not wait for five seconds in which Ctrl-C undoes it; without a terminal nothing waits",
    );
}

function addActOptions(command: Command): Command {
  return addFilterOptions(doubtFilter, command)
    .option("--dry-run", "print what would be done, and change nothing")
    .option("--yes", "do not ask; needed without a terminal")
    .option("--json", "print the outcome as JSON");
}

const describeGroups = listText<DoubtGroup>("nothing is in doubt", [
  ["verdict", ({ verdict }) => verdict],
  ["count", ({ count }) => count],
  ["type", ({ type }) => type],
  ["effect", ({ effect }) => effect],
  ["may still run", ({ mayStillRun }) => mayStillRun || null, 2],
  ["has a probe", ({ mayAskProbe }) => mayAskProbe || null, 1],
  ["oldest since", ({ oldestSince }) => oldestSince, 3],
]);

const describe = listText<ListedDoubt>("nothing is in doubt", [
  ["job", ({ jobId }) => jobId],
  ["type", ({ type }) => type, 3],
  ["key", ({ idempotencyKey }) => idempotencyKey, 2],
  ["effect", ({ effect }) => effect],
  ["key downstream", ({ effectKey }) => effectKey, 5],
  ["since", ({ since }) => since, 1],
  ["why", (doubt) => doubt.reason + hints(doubt) + askedText(doubt) + probeText(doubt)],
  [
    "what it sent",
    ({ evidence, hint }) => `${evidenceText(evidence)}${hint ? ` (${hintText(hint)})` : ""}`,
    4,
  ],
]);

function hints(doubt: ListedDoubt): string {
  const late = doubt.report === null ? "" : ` (its worker reported ${doubt.report}, too late)`;
  return doubt.mayStillRun ? `${late} (may still be under way: ${seenText(doubt)})` : late;
}

/** Who asked for an effect that no job runs, and what it is about. */
function askedText({ by, about }: ListedDoubt): string {
  const texts = [about && `about ${about}`, by && `asked by ${by}`].filter(Boolean);
  return texts.length === 0 ? "" : ` (${texts.join(", ")})`;
}

/** What has come of asking the probe. */
function probeText({ asked }: ListedDoubt): string {
  if (asked === null) return "";
  const found = asked.found === null ? "" : `, since then: ${asked.found}`;
  return ` (probe asked at ${asked.at} by ${asked.by}${found})`;
}

async function resolve(
  id: string | undefined,
  effect: string | undefined,
  options: ResolveOptions,
): Promise<void> {
  const { as, evidence, result } = options;
  if (as !== "done" && as !== "not-done") throw usage(`--as: expected done or not-done, got "${as}"`);
  requireText("--evidence", evidence);
  if (id === undefined) return await resolveMatching({ ...options, as });
  if (effect === undefined) throw usage("expected <id> and <effect>, or a filter");
  const json = result === undefined ? undefined : compactJson(result);
  const resolution = { as, evidence, result: json, by: username(), confirm: options.confirm } as const;
  await letUndo(options, "resolving it");
  const job = await withOperatorIfAny((operator) => resolveOrAsk(operator, id, effect, resolution));
  if (job === undefined) return;
  printOutcome(options.json, { id, effect, as, job }, `${id} ${effect}: ${as}; ${fates[job]}`);
}

const ASKED_AGAIN: ReadonlySet<string> = new Set(["RUN_MAY_BE_PENDING", "RUN_SAID_DONE"]);

/** If its run may still be under way, or says the opposite, asks again. @returns undefined for a no */
async function resolveOrAsk(
  operator: Operator,
  id: string,
  effect: string,
  resolution: Resolution,
): Promise<ResolvedJob | undefined> {
  try {
    return await operator.resolve(id, effect, resolution);
  } catch (error) {
    if (!(error instanceof HoldfastError) || !ASKED_AGAIN.has(error.code)) throw error;
    // What is asked is about this doubt, not about one that the effect's next run may leave meanwhile.
    const since = canAsk() ? await readSince(operator, id, effect) : undefined;
    if (since === undefined)
      throw new HoldfastError(error.code, `${error.message}. To resolve it all the same: --confirm`);
    if (await isConfirmed(`${error.message}. Resolve it as not done?`, LEFT_IN_DOUBT))
      return await operator.resolve(id, effect, { ...resolution, confirm: true, since });
    return undefined;
  }
}

/** Since when an effect is in doubt. The list has those whose job is gone, or that no job runs: to search it is slow. */
async function readSince(operator: Operator, id: string, effect: string): Promise<string | undefined> {
  const status = await operator.status(id);
  const inJob = status?.effects.find(({ name, state }) => name === effect && state === "in-doubt");
  if (inJob !== undefined) return inJob.at;
  const doubts = await operator.doubts(0, SEARCHED_MAX, { effect });
  return doubts.find((doubt) => doubt.jobId === id && doubt.effect === effect)?.since;
}

const fates: Readonly<Record<ResolvedJob, string>> = {
  retried: "the job is in line again",
  running: "the job continues",
  "in-doubt": "another effect of the job is in doubt: it continues once that is resolved",
  cancelled: "the job stays cancelled",
  completed: "the job had completed",
  gone: "the retention has removed the job, so nothing continues",
  "next-call": "no job waits for it: the next call goes on",
};

function compactJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch (cause) {
    throw usage("--result: expected JSON", { cause });
  }
}

const describeEffects = listText<Shown<GuardedEffectView>>("no effect of a guard is known", [
  ["call", ({ id }) => id],
  ["effect", ({ effect }) => effect],
  ["key", ({ idempotencyKey }) => idempotencyKey],
  ["state", ({ state }) => state],
  ["since", ({ since }) => since, 1],
  ["about", ({ about }) => about, 3],
  ["by", ({ by }) => by, 2],
]);

function describeEffect({ acts, answer: _, sent, ...effect }: Shown<GuardedEffectDetail>): Lines {
  const known = { ...effect, sent: evidenceText(sent) };
  const facts = Object.entries(known).filter(([, value]) => value !== null);
  const width = Math.max(...facts.map(([name]) => name.length));
  return [
    ...facts.map(([name, value]) => [`${name.padEnd(width)}  ${value}`]),
    ...acts.map(({ at, as, by, evidence }) => [`${at}  ${as} by ${by}: ${evidence}`]),
  ];
}

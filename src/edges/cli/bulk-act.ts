import { setTimeout as pause } from "node:timers/promises";
import type { SingleBar } from "cli-progress";
import type { MatchingGroup } from "../../desk/acts/act-matches.ts";
import type { ActName, ActRequest } from "../../desk/acts/act-on-many.ts";
import type { ActPreview, ActStatus } from "../../desk/acts/acts.ts";
import { counted } from "../../desk/counted.ts";
import type { Operator } from "../../desk/operator.ts";
import { username } from "../username.ts";
import { withOperator } from "./connections.ts";
import { exitCode, usage } from "./exit-code.ts";
import { type FilterOptions, jobFilterOf, requireScope } from "./filter-options.ts";
import { requireKnown } from "./known-names.ts";
import { type ConsentOptions, mayAct, requireConsent } from "./screen/confirm.ts";
import { print, printError, printJson } from "./screen/output.ts";
import { type ColumnOf, tableOf } from "./screen/table.ts";
import type { Lines } from "./screen/text.ts";
import { interruptible } from "./system/signals.ts";

export interface BulkOptions extends FilterOptions, ConsentOptions {
  readonly all?: true;
  readonly rate?: string;
  readonly reason?: string;
  /** `--no-wait` */
  readonly wait?: boolean;
}

type Scope = Pick<ActRequest, "act" | "filter" | "all">;

type Preview = Awaited<ReturnType<typeof previewOf>>;

const pastTense: Readonly<Record<ActName, string>> = {
  retry: "retried",
  cancel: "cancelled",
  delete: "deleted",
};
const POLL_MS = 250;

/** Previews an act on many jobs, asks, starts it and follows it. */
export async function runBulkAct(act: ActName, options: BulkOptions): Promise<void> {
  const { all, dryRun, yes, rate, reason = "", wait = true, json } = options;
  const filterAt = jobFilterOf(options);
  requireScope(
    `jobs ${act}`,
    filterAt(Date.now()),
    all,
    "ids, a filter such as --type <type> or --code <code>, or --all for every job",
  );
  requireRate(act, rate);
  if (!dryRun && reason.trim() === "")
    throw usage(`jobs ${act}: expected --reason <text> for many jobs, or --dry-run`);
  requireConsent(options, `jobs ${act}: `);
  await withOperator(async (operator) => {
    await requireKnown(operator, options);
    const scope = { act, filter: filterAt(await operator.now()), ...(all && { all }) };
    // Without a question or --wait, it is enough that there are some; the act counts all.
    const preview = await previewOf(operator, scope, dryRun || !yes || wait);
    const { groups: matching, total: count, leftAlone, hasMore, before } = preview;
    const isAgreed = await mayAct(options, {
      lines: describe(preview, act),
      value: { act, count, isExact: !hasMore, leftAlone, matching },
      isEmpty: count === 0,
      question: `${act[0]?.toUpperCase()}${act.slice(1)} ${counted(count, "job")}?`,
    });
    if (!isAgreed) return;
    const { id } = await operator.acts.start({ ...scope, reason, rate, before }, username());
    printError(`${id} (stop it with: holdfast acts stop ${id})`);
    if (wait) report(await follow(operator, id), json);
    else if (json) printJson(await operator.acts.read(id));
  });
}

function requireRate(act: ActName, rate: string | undefined): void {
  if (rate === undefined || /^[1-9]\d{0,6}\/\d{0,9}(ms|s|m|h)$/.test(rate)) return;
  throw usage(`jobs ${act}: --rate: expected a rate such as 50/s, got "${rate}"`);
}

/** @returns also whether there are more, which were not counted, and until when it holds */
async function previewOf(operator: Operator, scope: Scope, isWhole: boolean) {
  const { countOf, mergeGroups } = await import("../../desk/acts/act-matches.ts");
  const found: MatchingGroup[] = [];
  let leftAlone = 0;
  let hasMore = false;
  let seenAt: number | undefined;
  let part: { before?: number; cursor?: string | undefined } | undefined = {};
  while (part !== undefined) {
    const preview: ActPreview = await operator.acts.preview({ ...scope, ...part, isBrief: !isWhole });
    found.push(...preview.matching);
    leftAlone += preview.leftAlone;
    const { before, nextCursor: cursor } = preview;
    hasMore = cursor !== null;
    seenAt ??= before;
    part = cursor !== null && (isWhole || found.length === 0) ? { before, cursor } : undefined;
  }
  const groups = mergeGroups(found);
  return { groups, total: countOf(groups), leftAlone, hasMore, before: seenAt };
}

const columns: readonly ColumnOf<MatchingGroup>[] = [
  ["jobs", ({ count }) => count],
  ["type", ({ type }) => type],
  ["code", ({ code }) => code],
  ["examples", ({ exampleIds }) => exampleIds.join(" "), 1],
];

function describe({ groups, total, leftAlone, hasMore }: Preview, act: ActName): Lines {
  const least = hasMore ? "at least " : "";
  const left =
    act === "retry"
      ? `(${least}${counted(leftAlone, "job")} that were cancelled or are in doubt stay as they are: --code CANCELLED or --code EFFECT_IN_DOUBT)`
      : `(${least}${counted(leftAlone, "job")} in doubt stay: resolve them first)`;
  return [
    ...(total === 0 ? [] : tableOf(columns, groups)),
    [`${least}${counted(total, "job")} to ${act}`],
    ...(leftAlone > 0 ? [[left]] : []),
  ];
}

/** Shows how far an act is until it has ended. Leaving it does not stop the act. */
async function follow(operator: Operator, id: string): Promise<ActStatus> {
  const { SingleBar } = await import("cli-progress");
  const bar = new SingleBar({
    format: "{bar} {value} of {total} jobs",
    hideCursor: true,
    clearOnComplete: true,
  });
  const leave = () => {
    bar.stop();
    return `the act goes on: holdfast acts show ${id}; to stop it: holdfast acts stop ${id}`;
  };
  try {
    return await interruptible(() => readUntilEnded(operator, id, bar), leave);
  } finally {
    bar.stop();
  }
}

async function readUntilEnded(operator: Operator, id: string, bar: SingleBar): Promise<ActStatus> {
  for (;;) {
    const act = await operator.acts.read(id);
    if (act.endedAt !== null) return act;
    if (process.stderr.isTTY && act.total !== null) {
      if (bar.isActive) bar.update(act.done + act.skipped);
      else bar.start(act.total, act.done + act.skipped);
    }
    await pause(POLL_MS);
  }
}

function report(act: ActStatus, json: true | undefined): void {
  const { state, done, total, skipped, remaining, error } = act;
  if (state !== "done") process.exitCode = exitCode.failed;
  if (json) {
    printJson(act);
    return;
  }
  const counts = `${done} of ${total ?? "?"} ${pastTense[act.act]}${skipped > 0 ? `, ${skipped} had changed` : ""}`;
  const isUnsure = state === "done" && remaining === null;
  if (isUnsure) print(`${counts}; jobs moved too fast to know whether any is left: run it again`);
  else if (state === "done") print(counts);
  else print(state === "failed" ? `failed: ${error}: ${counts}` : `${state}: ${counts}`);
}

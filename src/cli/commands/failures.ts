import type { Command } from "commander";
import { HoldfastError } from "../../errors/holdfast-error.ts";
import type { FailureGroups } from "../../operate/failure-groups.ts";
import type { Operator } from "../../operate/operator.ts";
import type { FailedQuery, MatchingGroup } from "../../operate/retry-failed.ts";
import { canAsk, confirm } from "../confirm.ts";
import { withOperator } from "../connections.ts";
import { exitCode } from "../exit-code.ts";
import { print, printJson } from "../output.ts";
import { table } from "../table.ts";

interface RetryOptions {
  readonly type?: string;
  readonly code?: string;
  readonly all?: true;
  readonly dryRun?: true;
  readonly yes?: true;
}

/** Which jobs a bulk retry retries: a filter, and by when they must have failed. */
type Wanted = Pick<FailedQuery, "type" | "code" | "all" | "before">;

/** What matches, counted before anything changes. */
interface Preview {
  readonly groups: readonly MatchingGroup[];
  readonly total: number;
  readonly leftAlone: number;
  readonly before: number;
}

/** Jobs per call. The progress bar moves with each call. */
const AT_ONCE = 200;

/** `holdfast failures`: many failed jobs at once. */
export function addFailuresCommands(program: Command): void {
  const failures = program
    .command("failures")
    .description("group failed jobs by reason, and retry whole groups");
  failures
    .command("list")
    .description("group failed jobs by type, code and message, most frequent first")
    .option("--json", "print one JSON object a line")
    .action(list);
  failures
    .command("retry")
    .description(
      "retry failed jobs by type, code or all, oldest failure first, after asking; effects that are done stay done",
    )
    .option("--type <type>", "only jobs of this type")
    .option("--code <code>", "only jobs that failed with this code, e.g. HANDLER_FAILED")
    .option("--all", "every failed job; cancelled ones and those in doubt only by --code")
    .option("--dry-run", "print what would be retried, and change nothing")
    .option("--yes", "do not ask; needed without a terminal")
    .action(retry);
}

async function list({ json }: { readonly json?: true }): Promise<void> {
  await withOperator(async (operator) => {
    const found = await operator.failures();
    if (json) printJson(...found.groups);
    else print(describe(found));
  });
}

function describe({ groups, scanned, isComplete }: FailureGroups): string {
  if (groups.length === 0) return "no failed jobs";
  const rows = groups.map(({ type, code, count, lastAt, exampleId, message, messagePattern }) => [
    String(count),
    type,
    code,
    lastAt,
    exampleId,
    messagePattern ?? message,
  ]);
  const text = table(["jobs", "type", "code", "latest", "example", "message"], rows);
  return isComplete ? text : `${text}\n(of the latest ${scanned} that failed)`;
}

async function retry({ dryRun, yes, ...filter }: RetryOptions): Promise<void> {
  requireFilter(filter);
  if (!dryRun && !yes && !canAsk())
    throw new HoldfastError(
      "USAGE",
      "failures retry: expected --yes, or --dry-run: there is no terminal to ask on",
    );
  await withOperator(async (operator) => {
    // Jobs that fail after this moment are neither counted nor retried.
    const preview = await previewOf(operator, { ...filter, before: Date.now() });
    const { total, before } = preview;
    print(describePreview(preview));
    if (dryRun || total === 0) return;
    if (!yes && !(await confirm(`Retry ${jobs(total)}?`))) {
      print("nothing was changed");
      process.exitCode = exitCode.failed;
      return;
    }
    const retried = await retryAll(operator, { ...filter, before }, total);
    print(`${retried} of ${total} retried`);
  });
}

function requireFilter({ type, code, all }: RetryOptions): void {
  const isNarrow = type !== undefined || code !== undefined;
  if (isNarrow === (all === undefined)) return;
  const expected = isNarrow
    ? "--all without --type and --code"
    : "a filter: --type <type>, --code <code> or both, or --all for every failed job";
  throw new HoldfastError("USAGE", `failures retry: expected ${expected}`);
}

async function previewOf(operator: Operator, wanted: Wanted): Promise<Preview> {
  const found: MatchingGroup[] = [];
  let leftAlone = 0;
  let before = wanted.before;
  for (let cursor: string | undefined | null; cursor !== null; ) {
    const step = await operator.retryFailed({ ...wanted, before, limit: AT_ONCE, cursor, dryRun: true });
    found.push(...step.matching);
    leftAlone += step.leftAlone;
    before = step.before;
    cursor = step.nextCursor;
  }
  const { mergeGroups } = await import("../../operate/retry-failed.ts");
  const groups = mergeGroups(found);
  return { groups, total: groups.reduce((sum, { count }) => sum + count, 0), leftAlone, before };
}

function describePreview({ groups, total, leftAlone }: Preview): string {
  const rows = groups.map(({ type, code, count, exampleIds }) => [
    String(count),
    type,
    code,
    exampleIds.join(" "),
  ]);
  const lines = total === 0 ? [] : [table(["jobs", "type", "code", "examples"], rows)];
  lines.push(`${jobs(total)} ${total === 1 ? "matches" : "match"}`);
  if (leftAlone > 0)
    lines.push(
      `(${jobs(leftAlone)} that were cancelled or are in doubt stay as they are: --code CANCELLED or --code EFFECT_IN_DOUBT)`,
    );
  return lines.join("\n");
}

function jobs(count: number): string {
  return `${count} failed ${count === 1 ? "job" : "jobs"}`;
}

async function retryAll(operator: Operator, wanted: Wanted, total: number): Promise<number> {
  const { default: progress } = await import("cli-progress");
  const bar = new progress.SingleBar({
    format: "{bar} {value} of {total} jobs",
    hideCursor: true,
    clearOnComplete: true,
  });
  if (process.stderr.isTTY) bar.start(total, 0);
  let retried = 0;
  try {
    for (let cursor: string | undefined | null; cursor !== null; ) {
      const step = await operator.retryFailed({ ...wanted, limit: AT_ONCE, cursor });
      retried += step.retried;
      cursor = step.nextCursor;
      if (process.stderr.isTTY) bar.update(retried);
    }
    return retried;
  } finally {
    bar.stop();
  }
}

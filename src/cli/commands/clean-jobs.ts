import type { Command } from "commander";
import { HoldfastError } from "../../errors/holdfast-error.ts";
import { username } from "../../lib/username.ts";
import type { JobFilter } from "../../operate/job-filter.ts";
import type { Operator } from "../../operate/operator.ts";
import { canAsk, confirm } from "../confirm.ts";
import { withOperator } from "../connections.ts";
import { exitCode } from "../exit-code.ts";
import { addFilterOptions, type FilterOptions, filterOf } from "../job-filter-options.ts";
import { requireKnown } from "../known-names.ts";
import { print } from "../output.ts";

interface CleanOptions extends FilterOptions {
  readonly olderThan?: string;
  readonly all?: true;
  readonly dryRun?: true;
  readonly yes?: true;
  readonly reason?: string;
}

/** Jobs per call: small, so that others get their turn in between. */
const AT_ONCE = 200;

const ENDED = ["completed", "failed"];

/** `holdfast jobs clean`. */
export function addCleanCommand(jobs: Command): void {
  addFilterOptions(jobs.command("clean"), ENDED)
    .description(
      "delete jobs that have ended, after asking: at once, from here, also while Redis is full or no worker runs; keys and effects stay " +
        "remembered, and jobs in doubt stay",
    )
    .option("--older-than <duration>", "only jobs that ended this long ago, e.g. 90s, 30min, 12h or 7d")
    .option("--all", "every job that has ended, instead of a filter")
    .option("--reason <text>", "why; needed unless --dry-run, and kept in the audit log")
    .option("--dry-run", "print how many would be deleted, and change nothing")
    .option("--yes", "do not ask; needed without a terminal")
    .action(clean);
}

async function clean({ olderThan, all, dryRun, yes, reason, ...options }: CleanOptions): Promise<void> {
  const filter = await filterOf(options, ENDED);
  requireFilter({ ...filter, olderThan }, all);
  if (!dryRun && !reason?.trim())
    throw new HoldfastError("USAGE", "jobs clean: expected --reason <text>, or --dry-run");
  if (!dryRun && !yes && !canAsk())
    throw new HoldfastError(
      "USAGE",
      "jobs clean: expected --yes, or --dry-run: there is no terminal to ask on",
    );
  const { describeFilter } = await import("../../operate/job-filter.ts");
  await withOperator(async (operator) => {
    await requireKnown(operator, filter);
    const wanted = { ...filter, endedTo: endOf(filter, olderThan, await operator.now()) };
    const { count, isExact } = await operator.countEnded(wanted);
    const amount = `${isExact ? "" : "at least "}${count} of the ${describeFilter(wanted)}`;
    print(`${amount} ${dryRun ? "would be deleted" : "will be deleted"}; jobs in doubt stay`);
    if (dryRun || (isExact && count === 0)) return;
    if (!yes && !(await confirm("Delete them?"))) {
      print("nothing was changed");
      process.exitCode = exitCode.failed;
      return;
    }
    await deleteAll(operator, wanted, reason);
  });
}

/** What ends from now on is not meant. */
function endOf(
  { endedTo = Number.POSITIVE_INFINITY }: JobFilter,
  olderThan: string | undefined,
  now: number,
): number {
  return Math.min(endedTo, now - (olderThan === undefined ? 0 : durationMs(olderThan)));
}

async function deleteAll(
  operator: Operator,
  filter: JobFilter & { readonly endedTo: number },
  reason: string | undefined,
): Promise<void> {
  let [deleted, kept] = [0, 0];
  const by = username();
  for (let cursor: string | undefined | null; cursor !== null; ) {
    const slice = await operator.clean({ filter, limit: AT_ONCE, cursor, by, reason });
    deleted += slice.deleted;
    kept += slice.kept;
    cursor = slice.nextCursor;
  }
  print(`${deleted} deleted${kept > 0 ? `, ${kept} kept: in doubt, or no longer what was meant` : ""}`);
}

function requireFilter(filter: object, all: true | undefined): void {
  const isNarrow = Object.values(filter).some((value) => value !== undefined);
  if (isNarrow === (all === undefined)) return;
  const expected = isNarrow ? "--all without a filter" : "a filter such as --older-than 7d, or --all";
  throw new HoldfastError("USAGE", `jobs clean: expected ${expected}`);
}

const units: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

function durationMs(text: string): number {
  const [, number = "", unit = ""] = /^(\d{1,9})\s?(ms|s|min|h|d)$/.exec(text) ?? [];
  const size = units[unit];
  if (size !== undefined) return Number(number) * size;
  throw new HoldfastError(
    "USAGE",
    `--older-than: expected a duration such as 30min, 12h or 7d, got "${text}"`,
  );
}

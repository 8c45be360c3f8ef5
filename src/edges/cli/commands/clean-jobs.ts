import type { Command } from "commander";
import { durationOf } from "../../../desk/jobs/instant.ts";
import { describeFilter, type JobFilter } from "../../../desk/jobs/job-filter.ts";
import type { Operator } from "../../../desk/operator.ts";
import { username } from "../../username.ts";
import { withOperator } from "../connections.ts";
import { usage } from "../exit-code.ts";
import { addJobFilter, type FilterOptions, jobFilterOf, requireScope } from "../filter-options.ts";
import { requireKnown } from "../known-names.ts";
import { type ConsentOptions, mayAct, requireConsent } from "../screen/confirm.ts";
import { printOutcome } from "../screen/output.ts";
import { interruptible } from "../system/signals.ts";

interface CleanOptions extends FilterOptions, ConsentOptions {
  readonly olderThan?: string;
  readonly all?: true;
  readonly reason?: string;
}

/** Jobs per call. Small, so that Redis serves others in between. */
const AT_ONCE = 200;

const ENDED = ["completed", "failed"];

export function addCleanCommand(jobs: Command): void {
  addJobFilter(jobs.command("clean"), ENDED)
    .description(
      "delete jobs that have ended, after asking: at once, from here, also while Redis is full or no worker runs; keys and effects stay " +
        "remembered, and jobs in doubt stay",
    )
    .option("--older-than <duration>", "only jobs that ended this long ago, e.g. 90s, 30min, 12h or 7d")
    .option("--all", "every job that has ended, instead of a filter")
    .option("--reason <text>", "why; needed unless --dry-run, and kept in the audit log")
    .option("--dry-run", "print how many would be deleted, and change nothing")
    .option("--yes", "do not ask; needed without a terminal")
    .option("--json", "print the outcome as JSON")
    .action(clean);
}

async function clean(options: CleanOptions): Promise<void> {
  const { olderThan, all, dryRun, reason, json } = options;
  const filterAt = jobFilterOf(options, ENDED);
  const ageMs = olderThan === undefined ? 0 : durationMs(olderThan);
  const narrow = { ...filterAt(Date.now()), olderThan };
  requireScope("jobs clean", narrow, all, "a filter such as --older-than 7d, or --all");
  if (!dryRun && !reason?.trim()) throw usage("jobs clean: expected --reason <text>, or --dry-run");
  requireConsent(options, "jobs clean: ");
  await withOperator(async (operator) => {
    await requireKnown(operator, options);
    const now = await operator.now();
    const { endedTo = now, ...filter } = filterAt(now);
    // Jobs that end from now on are not meant.
    const wanted = { ...filter, endedTo: Math.min(endedTo, now - ageMs) };
    const { count, isExact } = await operator.countEnded(wanted);
    const amount = `${isExact ? "" : "at least "}${count} of the ${describeFilter(wanted)}`;
    const lines = `${amount} ${dryRun ? "would be deleted" : "will be deleted"}, but for those in doubt`;
    const value = { count, isExact };
    const isEmpty = isExact && count === 0;
    if (!(await mayAct(options, { lines, value, isEmpty, question: "Delete them?" }))) return;
    const outcome = await deleteAll(operator, wanted, reason);
    printOutcome(json, outcome, describeOutcome(outcome));
  });
}

interface Outcome {
  readonly deleted: number;
  readonly kept: number;
}

async function deleteAll(
  operator: Operator,
  filter: JobFilter & { readonly endedTo: number },
  reason: string | undefined,
): Promise<Outcome> {
  let [deleted, kept] = [0, 0];
  const by = username();
  const deleteSlices = async () => {
    for (let cursor: string | undefined | null; cursor !== null; ) {
      const slice = await operator.clean({ filter, limit: AT_ONCE, cursor, by, reason });
      deleted += slice.deleted;
      kept += slice.kept;
      cursor = slice.nextCursor;
    }
  };
  await interruptible(deleteSlices, () => `stopped: ${describeOutcome({ deleted, kept })} so far`);
  return { deleted, kept };
}

function describeOutcome({ deleted, kept }: Outcome): string {
  return `${deleted} deleted${kept > 0 ? `, ${kept} kept: in doubt, or no longer what was meant` : ""}`;
}

function durationMs(text: string): number {
  const ms = durationOf(text);
  if (ms !== undefined) return ms;
  throw usage(`--older-than: expected a duration such as 30min, 12h or 7d, got "${text}"`);
}

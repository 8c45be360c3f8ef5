import type { Command } from "commander";
import { HoldfastError } from "../../errors/holdfast-error.ts";
import { jobNotFound } from "../../job/job-id.ts";
import type { ListedJob } from "../../status/job-status.ts";
import { withOperator } from "../connections.ts";
import { exitCode } from "../exit-code.ts";
import { addFilterOptions, type FilterOptions, filterOf, requireKnownType } from "../job-filter-options.ts";
import { describeJob } from "../job-text.ts";
import { print, printError, printJson } from "../output.ts";
import { printable, table } from "../table.ts";
import { addCleanCommand } from "./clean-jobs.ts";

interface ListOptions extends FilterOptions {
  readonly limit: string;
  readonly json?: true;
}

const PAGE = 200;

/** `holdfast jobs`. */
export function addJobsCommands(program: Command): void {
  const jobs = program.command("jobs").description("list, retry, cancel and delete jobs");
  addFilterOptions(jobs.command("list"))
    .description("list jobs: finished ones newest first, others in the order in which they will run")
    .option("--limit <n>", "how many at most", "50")
    .option("--json", "print one JSON object a line")
    .action(list);
  jobs
    .command("show")
    .description(
      "print everything known about a job: payload, each failed attempt with its stack, effects, log",
    )
    .argument("<id>", "the job's id")
    .option("--json", "print it as JSON")
    .action(show);
  jobs
    .command("retry")
    .description("retry failed jobs; effects that are done stay done")
    .argument("<id...>", "the jobs' ids")
    .action(retry);
  jobs
    .command("cancel")
    .description("cancel a job: a waiting one ends at once, a running one's signal is aborted")
    .argument("<id>", "the job's id")
    .action(cancel);
  addCleanCommand(jobs);
}

async function list({ limit, json, ...options }: ListOptions): Promise<void> {
  const wanted = await filterOf(options);
  const most = parseLimit(limit);
  await withOperator(async (operator, application) => {
    const found: ListedJob[] = [];
    let cursor: string | undefined;
    do {
      const query = { ...wanted, limit: Math.min(PAGE, most - found.length), cursor };
      const page = await operator.list(query);
      found.push(...page.jobs);
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined && found.length < most);
    if (found.length === 0) requireKnownType(wanted.type, application);
    if (json) printJson(...found);
    else print(describe(found));
  });
}

function describe(jobs: readonly ListedJob[]): string {
  if (jobs.length === 0) return "no jobs";
  const rows = jobs.map(
    ({ id, type, state, attemptsMade, maxAttempts, submittedAt, idempotencyKey, error }) => [
      id,
      type,
      state,
      `${attemptsMade}/${maxAttempts}`,
      submittedAt,
      idempotencyKey,
      error === null ? "" : `${error.code}: ${error.message}`,
    ],
  );
  return table(["id", "type", "state", "attempts", "submitted", "key", "error"], rows);
}

async function show(id: string, { json }: { readonly json?: true }): Promise<void> {
  await withOperator(async (operator) => {
    const job = await operator.detail(id);
    if (job === undefined) throw jobNotFound();
    if (json) printJson(job);
    else print(describeJob(job));
  });
}

async function retry(ids: readonly string[]): Promise<void> {
  await withOperator(async (operator) => {
    for (const id of ids) await printOutcome(id, () => operator.retry(id).then(() => "retried"));
  });
}

async function cancel(id: string): Promise<void> {
  await withOperator(async (operator) => {
    await printOutcome(id, () => operator.cancel(id));
  });
}

/** Prints a refusal instead of throwing it, so that the other jobs go on. */
async function printOutcome(id: string, act: () => Promise<string>): Promise<void> {
  try {
    print(`${id}: ${await act()}`);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.retryable) throw error;
    printError(`${printable(id)}: ${printable(error.message)}`);
    process.exitCode = exitCode.failed;
  }
}

function parseLimit(limit: string): number {
  const most = Number(limit);
  if (Number.isSafeInteger(most) && most > 0) return most;
  throw new HoldfastError("USAGE", `--limit: expected a number of jobs, at least 1, got "${limit}"`);
}

import { type Command, Option } from "commander";
import { z } from "zod";
import type { ActName } from "../../../desk/acts/act-on-many.ts";
import { exportFormats } from "../../../desk/jobs/export-format.ts";
import { exportJobs } from "../../../desk/jobs/export-jobs.ts";
import type { FailureGroup, FailureGroups } from "../../../desk/jobs/failure-groups.ts";
import { type JobFilter, type JobOrder, jobOrders } from "../../../desk/jobs/job-filter.ts";
import type { JobPage } from "../../../desk/jobs/job-operator.ts";
import { failureOperations } from "../../../desk/operations/failures.ts";
import { jobOperations } from "../../../desk/operations/jobs.ts";
import type { Operator } from "../../../desk/operator.ts";
import type { ListedJob } from "../../../features/job-status.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { username } from "../../username.ts";
import { type BulkOptions, runBulkAct } from "../bulk-act.ts";
import { withOperator } from "../connections.ts";
import { exitCode, usage } from "../exit-code.ts";
import { addJobFilter, type FilterOptions, jobFilterOf } from "../filter-options.ts";
import { requireKnown } from "../known-names.ts";
import { addOperationCommand } from "../operation-command.ts";
import { parseWhole, readFormat } from "../option-values.ts";
import { describeJob, stateCell } from "../screen/job-text.ts";
import { printError, printHint, printOutcome, write } from "../screen/output.ts";
import { addShowOptions, type ShowOptions, show } from "../screen/show.ts";
import { type ColumnOf, listText, tableOf } from "../screen/table.ts";
import { type Lines, printable, toned } from "../screen/text.ts";
import { addCleanCommand } from "./clean-jobs.ts";

type OrderedFilter = JobFilter & { readonly order: JobOrder | undefined };

interface ListOptions extends FilterOptions, ShowOptions {
  readonly limit: string;
  readonly order?: JobOrder;
}

const PAGE = 200;

export function addJobsCommands(program: Command): void {
  const jobs = program.command("jobs").description("list, retry, cancel, delete jobs, and submit them again");
  addShowOptions(addJobFilter(jobs.command("list")))
    .description("list jobs: finished ones newest first, others in the order in which they will run")
    .option("--limit <n>", "how many at most", "50")
    .addOption(new Option("--order <order>", "the other way round, within each state").choices(jobOrders))
    .action(list);
  addOperationCommand(jobs, "show", jobOperations.detail, {
    description:
      "print everything known about a job: payload, each failed attempt with its stack, effects, log",
    describe: describeJob,
  });
  bulk(jobs.command("retry"), "retry", "failed jobs; effects that are done stay done");
  bulk(jobs.command("cancel"), "cancel", "jobs: waiting ones end at once, running ones' signals are aborted");
  bulk(
    jobs.command("delete"),
    "delete",
    "jobs that have ended; their keys and effects are remembered. Any worker does it: clean needs none",
  );
  addOperationCommand(jobs, "again", jobOperations.again, {
    description: "submit a new job from an old one; its effects happen anew",
    flags: { idempotencyKey: "--key <key>" },
    describe: ({ id, duplicate }) => `${duplicate ? "duplicate of" : "accepted"} ${id}`,
  });
  addExportCommand(jobs);
  addCleanCommand(jobs);
  const failures = program
    .command("failures")
    .description("group failed jobs by reason; `holdfast jobs retry` retries whole groups");
  addOperationCommand(failures, "list", failureOperations.failures, {
    description: "group failed jobs by type, code and message, most frequent first",
    describe: describeFailures,
    instead: {
      new: z
        .boolean()
        .optional()
        .meta({ description: "Only what has failed since the newest version of the application came." }),
    },
    lines: ({ groups }) => groups,
    after({ groups }) {
      if (groups.length > 0)
        printHint("to retry one of them: holdfast jobs retry --type TYPE --code CODE --reason TEXT");
    },
  });
}

/** A command for some jobs by their ids, or for many by a filter. */
function bulk(command: Command, act: ActName, what: string): void {
  addJobFilter(command.argument("[id...]", "the jobs' ids, instead of a filter"))
    .description(`${act} ${what}`)
    .option("--all", "instead of a filter: every job to which this can be done")
    .option("--reason <text>", "why; needed for many jobs, and kept in the audit log")
    .option("--rate <n/time>", "how many jobs at most in a time, e.g. 50/s")
    .option("--dry-run", "print what would be done, and change nothing")
    .option("--yes", "do not ask; needed without a terminal")
    .option("--no-wait", "do not wait until all is done: workers do it, whether or not you wait")
    .option(
      "--json",
      "print each outcome as JSON: of ids one a line, of many jobs the act or, if none begins, what matches",
    )
    .action((ids: readonly string[], options: BulkOptions) =>
      ids.length > 0 ? actOnEach(act, ids, options) : runBulkAct(act, options),
    );
}

async function actOnEach(act: ActName, ids: readonly string[], options: BulkOptions): Promise<void> {
  const { wait: _, reason, json, ...others } = options;
  if (Object.keys(others).length > 0)
    throw usage(`jobs ${act}: expected either ids or a filter with its options, got both`);
  await withOperator(async (operator) => {
    const by = { by: username(), reason };
    const acts = {
      retry: (id: string) => operator.retry(id, by).then(() => "retried"),
      cancel: (id: string) => operator.cancel(id, by),
      delete: (id: string) => operator.delete(id, by.by, reason).then(() => "deleted"),
    };
    for (const id of ids) {
      await printEach(id, json, () => acts[act](id));
      if (act === "retry") await hintDoubts(operator, id);
    }
  });
}

async function list({ limit, order, json, watch, ...options }: ListOptions): Promise<void> {
  const filterAt = jobFilterOf(options);
  const most = parseWhole("--limit", limit, "a number of jobs, at least 1");
  await withOperator(async (operator) => {
    const wanted = async () => filterAt(await operator.now());
    await requireKnown(operator, options);
    const read = async () => await readJobs(operator, { ...(await wanted()), order }, most);
    const found = await show({ read, describe, json: (jobs) => jobs }, { json, watch });
    if (found.length === most && !json) await hintAtRest(operator, await wanted(), most);
  });
}

async function hintAtRest(operator: Operator, wanted: JobFilter, listed: number): Promise<void> {
  const { total } = await operator.list({ ...wanted, limit: 1, total: true });
  if (total === undefined || total.count <= listed) return;
  printHint(
    `${listed} of ${total.isExact ? "" : "at least "}${total.count}${kindsText(total)}: --limit N for more`,
  );
}

/** BullMQ's failed jobs, as people see them. */
function kindsText({ kinds }: NonNullable<JobPage["total"]>): string {
  if (kinds === undefined) return "";
  const { failed, cancelled, failedInDoubt, isFailedExact } = kinds;
  return ` (${isFailedExact ? "" : "at least "}${failed} failed, ${cancelled} cancelled, ${failedInDoubt} in doubt)`;
}

async function readJobs(operator: Operator, wanted: OrderedFilter, most: number): Promise<ListedJob[]> {
  const found: ListedJob[] = [];
  let cursor: string | undefined;
  do {
    const query = { ...wanted, limit: Math.min(PAGE, most - found.length), cursor };
    const { jobs, nextCursor } = await operator.list(query);
    found.push(...jobs);
    cursor = nextCursor ?? undefined;
  } while (cursor !== undefined && found.length < most);
  return found;
}

const describe = listText<ListedJob>("no jobs", [
  ["id", ({ id }) => id],
  ["type", ({ type }) => type, 4],
  ["state", stateCell],
  [
    "attempts",
    ({ attemptsMade, maxAttempts, state }) => `${attemptsMade + Number(state === "active")}/${maxAttempts}`,
    1,
  ],
  ["submitted", ({ submittedAt }) => submittedAt, 2],
  ["key", ({ idempotencyKey }) => idempotencyKey, 3],
  ["error", ({ error }) => error && `${error.code}: ${error.message}`],
]);

/** A retry does not resolve a doubt: the job would only report it again. */
async function hintDoubts(operator: Operator, id: string): Promise<void> {
  const job = await operator.detail(id);
  for (const { name, state } of job?.effects ?? [])
    if (state === "in-doubt")
      printError(
        `${id}: ${name} is in doubt, and stays so: holdfast doubts resolve ${id} ${name} --as done|not-done --evidence "…"`,
      );
}

/** Prints a refusal instead of throwing it, so that the other jobs go on. */
async function printEach(id: string, json: true | undefined, act: () => Promise<string>): Promise<void> {
  try {
    const outcome = await act();
    printOutcome(json, { id, outcome }, `${id}: ${outcome}`);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.retryable) throw error;
    printError(`${printable(id)}: ${printable(error.message)}`);
    process.exitCode = exitCode.failed;
  }
}

interface ExportOptions extends FilterOptions {
  readonly format: string;
}

function addExportCommand(jobs: Command): void {
  addJobFilter(jobs.command("export"))
    .description("write all jobs that match to standard output, as a file for other programs")
    .option("--format <format>", `one of ${exportFormats.join(", ")}`, "csv")
    .action(exportAll);
}

async function exportAll({ format, ...options }: ExportOptions): Promise<void> {
  const filterAt = jobFilterOf(options);
  const chosen = readFormat(format);
  await withOperator(async (operator) => {
    const filter = filterAt(await operator.now());
    await requireKnown(operator, filter);
    for await (const page of exportJobs(operator, filter, chosen)) await write(page);
  });
}

const failureColumns: readonly ColumnOf<FailureGroup>[] = [
  ["jobs", ({ count }) => count],
  ["type", ({ type }) => type],
  ["code", ({ code }) => code],
  ["latest", ({ lastAt }) => lastAt, 1],
  ["example", ({ exampleId }) => exampleId, 2],
  ["new since", ({ newSince }) => newSince?.version ?? "", 1],
  ["message", ({ messagePattern, message }) => messagePattern ?? message],
];

function describeFailures({ groups, scanned, isComplete }: FailureGroups): Lines {
  if (groups.length === 0) return "no failed jobs";
  const lines = tableOf(failureColumns, groups);
  return isComplete
    ? lines
    : [...lines, [toned(`(at least: of the latest ${scanned} that failed)`, "faint")]];
}

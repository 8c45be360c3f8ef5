import type { Command } from "commander";
import type { Receipt } from "../../../core/job/submit-options.ts";
import { withSubmitPath } from "../connections.ts";
import { usage } from "../exit-code.ts";
import { requireDeclared } from "../known-names.ts";
import { parseNumber, readJson, readSource } from "../option-values.ts";
import { printHint, printOutcome } from "../screen/output.ts";

interface SubmitCommandOptions {
  readonly key?: string;
  readonly payload?: string;
  readonly from?: string;
  readonly flow?: string;
  readonly delayMs?: string;
  readonly runAt?: string;
  readonly priority?: string;
  readonly tag?: readonly string[];
  readonly startBy?: string;
  readonly startWithinMs?: string;
  readonly debounceKey?: string;
  readonly debounceMs?: string;
  readonly debounceMaxMs?: string;
  readonly json?: true;
}

export function addSubmitCommand(program: Command): void {
  program
    .command("submit")
    .description("submit jobs without HTTP, by the same rules")
    .argument("[type]", "the job's type; with --from, the type of lines without one")
    .option("--key <key>", "the idempotency key: what this request means")
    .option("--payload <json|@file|->", "the payload: JSON, @ and a file with it, or - for standard input")
    .option("--from <file.ndjson|->", "submit many: one JSON object a line, like the body of POST /jobs")
    .option("--flow <file.json|->", "submit a flow: JSON, like the body of POST /flows")
    .option("--delay-ms <ms>", "milliseconds until the job may run")
    .option("--run-at <iso>", "the instant from which the job may run, e.g. 2026-12-01T09:00:00Z")
    .option("--start-by <iso>", "fail the job with EXPIRED if no worker has begun it by then")
    .option("--start-within-ms <ms>", "the same, in milliseconds from when it may run")
    .option("--priority <n>", "0: none; otherwise lower runs sooner")
    .option("--tag <tag...>", "what people find the job by, e.g. customer:42; at most 10")
    .option("--debounce-key <key>", "replace the job of this key that waits, if there is one")
    .option("--debounce-ms <ms>", "with it: milliseconds that must pass without another submission")
    .option(
      "--debounce-max-ms <ms>",
      "with both: milliseconds after the first submission when it may run at last",
    )
    .option("--json", "print the outcome as JSON")
    .addHelpText(
      "after",
      `
Examples:
  holdfast submit welcome-email --key signup-42 --payload '{"email":"anoop@example.com","name":"Anoop","message":"Hello"}'
  holdfast submit --from signups.ndjson        # safe to run again: accepted jobs are duplicates
  holdfast submit --flow book.json             # safe to run again: it adds what is missing`,
    )
    .action(submit);
}

async function submit(type: string | undefined, options: SubmitCommandOptions): Promise<void> {
  if (options.flow !== undefined) return await submitFlow(options.flow, type, options);
  if (options.from !== undefined) {
    refuse(options, OF_ONE_JOB, "cannot be combined with --from");
    const file = options.from;
    const { submitFile } = await import("../submit-file.ts");
    await withSubmitPath(({ submitter }) => submitFile(submitter, file, type, options.json === true));
    return;
  }
  const submission = await readSubmission(type, options);
  const receipt = await withSubmitPath(async ({ submitter }, application) => {
    requireDeclared(application, type ?? "");
    return await submitter.submit(submission);
  });
  printOutcome(options.json, receipt, outcomeText(receipt));
  if (!options.json) printHint(`follow it: holdfast status ${receipt.id} --watch`);
}

function outcomeText({ id, duplicate, replaces, replacedBy }: Receipt): string {
  if (replaces) return `accepted ${id}, in place of an earlier submission`;
  if (replacedBy !== undefined) return `duplicate of ${id}, replaced by ${replacedBy}`;
  return `${duplicate ? "duplicate of" : "accepted"} ${id}`;
}

const OF_ONE_JOB = [
  "key",
  "payload",
  "delayMs",
  "runAt",
  "priority",
  "startBy",
  "startWithinMs",
  "tag",
  "debounceKey",
  "debounceMs",
  "debounceMaxMs",
] as const;

async function submitFlow(
  file: string,
  type: string | undefined,
  options: SubmitCommandOptions,
): Promise<void> {
  refuse(options, ["from", ...OF_ONE_JOB], "cannot be combined with --flow");
  if (type !== undefined) throw usage("TYPE cannot be combined with --flow");
  const flow = readJson("--flow", await readSource("--flow", file === "-" ? file : `@${file}`));
  const { openFlowSubmitter } = await import("../../../features/flows/flow-submitter.ts");
  const receipt = await withSubmitPath((path, application) => openFlowSubmitter(application, path)(flow));
  const { id, duplicate, children } = receipt;
  const text = `${duplicate ? "duplicate of" : "accepted"} ${id}, with ${children} children`;
  printOutcome(options.json, receipt, text);
}

async function readSubmission(type: string | undefined, options: SubmitCommandOptions): Promise<unknown> {
  const { key, payload, delayMs, runAt, priority, startBy, startWithinMs, tag } = options;
  if (type === undefined || key === undefined || payload === undefined) {
    throw usage("expected TYPE, --key and --payload, or --from FILE, or --flow FILE (add --help for help)");
  }
  return {
    type,
    idempotencyKey: key,
    payload: readJson("--payload", await readSource("--payload", payload)),
    options: {
      ...(delayMs !== undefined && { delayMs: parseNumber("--delay-ms", delayMs) }),
      ...(runAt !== undefined && { runAt }),
      ...(priority !== undefined && { priority: parseNumber("--priority", priority) }),
      ...(startBy !== undefined && { startBy }),
      ...(tag !== undefined && { tags: tag }),
      ...(startWithinMs !== undefined && { startWithinMs: parseNumber("--start-within-ms", startWithinMs) }),
      ...debounceIn(options),
    },
  };
}

function debounceIn({ debounceKey: key, debounceMs, debounceMaxMs }: SubmitCommandOptions) {
  if ((key ?? debounceMs ?? debounceMaxMs) === undefined) return {};
  if (key === undefined || debounceMs === undefined)
    throw usage("expected both of --debounce-key and --debounce-ms");
  const ms = parseNumber("--debounce-ms", debounceMs);
  const maxMs = debounceMaxMs === undefined ? {} : { maxMs: parseNumber("--debounce-max-ms", debounceMaxMs) };
  return { debounce: { key, ms, ...maxMs } };
}

function refuse(
  options: SubmitCommandOptions,
  names: readonly (keyof SubmitCommandOptions)[],
  why: string,
): void {
  const given = names.filter((name) => options[name] !== undefined);
  if (given.length > 0) throw usage(`--${given.join(", --")} ${why}`);
}

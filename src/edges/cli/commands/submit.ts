import type { Command } from "commander";
import type { Receipt } from "../../../core/job/submit-options.ts";
import type { Joint } from "../../../core/submit/joint-submission.ts";
import type { GivenFlags } from "../../../core/submit/points.ts";
import { features } from "../../../features/index.ts";
import { withSubmitPath } from "../connections.ts";
import { usage } from "../exit-code.ts";
import { requireDeclared } from "../known-names.ts";
import { parseNumber, readJson, readSource } from "../option-values.ts";
import { printHint, printOutcome } from "../screen/output.ts";

/** Features add flags of their own. */
interface SubmitCommandOptions {
  readonly key?: string;
  readonly payload?: string;
  readonly from?: string;
  readonly delayMs?: string;
  readonly runAt?: string;
  readonly priority?: string;
  readonly startBy?: string;
  readonly startWithinMs?: string;
  readonly json?: true;
}

export function addSubmitCommand(program: Command): void {
  const command = program.command("submit");
  command
    .description("submit jobs without HTTP, by the same rules")
    .argument("[type]", "the job's type; with --from, the type of lines without one")
    .option("--key <key>", "the idempotency key: what this request means")
    .option("--payload <json|@file|->", "the payload: JSON, @ and a file with it, or - for standard input")
    .option("--from <file.ndjson|->", "submit many: one JSON object a line, like the body of POST /jobs");
  for (const { flag } of joints) command.option(...flag);
  command
    .option("--delay-ms <ms>", "milliseconds until the job may run")
    .option("--run-at <iso>", "the instant from which the job may run, e.g. 2026-12-01T09:00:00Z")
    .option("--start-by <iso>", "fail the job with EXPIRED if no worker has begun it by then")
    .option("--start-within-ms <ms>", "the same, in milliseconds from when it may run")
    .option("--priority <n>", "0: none; otherwise lower runs sooner")
    .option("--json", "print the outcome as JSON")
    .addHelpText(
      "after",
      `
Examples:
  holdfast submit welcome-email --key signup-42 --payload '{"email":"anoop@example.com","name":"Anoop","message":"Hello"}'
  holdfast submit --from signups.ndjson        # safe to run again: accepted jobs are duplicates${joints.map(({ example: [args, note] }) => `\n  ${`holdfast submit ${args}`.padEnd(EXAMPLE_COLUMN)}# ${note}`).join("")}`,
    )
    .action(submit);
  for (const [flags, help] of ownFlags) command.option(flags, help);
}

const joints = features.flatMap(({ joint }) => joint ?? []);
const EXAMPLE_COLUMN = 45;

const ownFlags = features.flatMap(({ flags }) => flags?.flags ?? []);

async function submit(type: string | undefined, options: SubmitCommandOptions): Promise<void> {
  const together = joints.find(({ flag: [flags] }) => given(options, flags) !== undefined);
  if (together !== undefined) return await submitTogether(together, type, options);
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

function outcomeText(receipt: Receipt): string {
  const { id, duplicate } = receipt;
  const own = features.map(({ receiptText }) => receiptText?.(receipt)).find((text) => text !== undefined);
  return own ?? `${duplicate ? "duplicate of" : "accepted"} ${id}`;
}

const OF_ONE_JOB: readonly string[] = [
  "key",
  "payload",
  "delayMs",
  "runAt",
  "priority",
  "startBy",
  "startWithinMs",
  ...ownFlags.map(([flags]) => memberOf(nameOf(flags))),
];

/** @example "--debounce-ms <ms>" → "debounce-ms" */
function nameOf(flags: string): string {
  return flags.replace(/^--| .*/g, "");
}

/** As commander names what an option gives. */
function memberOf(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

async function submitTogether(
  { flag: [flags], load }: Joint,
  type: string | undefined,
  options: SubmitCommandOptions,
): Promise<void> {
  const flag = `--${nameOf(flags)}`;
  const file = String(given(options, flags));
  refuse(options, ["from", ...OF_ONE_JOB], `cannot be combined with ${flag}`);
  if (type !== undefined) throw usage(`TYPE cannot be combined with ${flag}`);
  const input = readJson(flag, await readSource(flag, file === "-" ? file : `@${file}`));
  const { joint } = await load();
  const receipt = await withSubmitPath((path, application) => joint.open(application, path)(input));
  printOutcome(options.json, receipt, joint.textOf(receipt));
}

/** What an option was given, by its flags. */
function given(options: object, flags: string): unknown {
  return new Map(Object.entries(options)).get(memberOf(nameOf(flags)));
}

async function readSubmission(type: string | undefined, options: SubmitCommandOptions): Promise<unknown> {
  const { key, payload, delayMs, runAt, priority, startBy, startWithinMs } = options;
  if (type === undefined || key === undefined || payload === undefined) {
    const others = ["--from", ...joints.map(({ flag: [flags] }) => `--${nameOf(flags)}`)];
    const files = others.map((flag) => `or ${flag} FILE`).join(", ");
    throw usage(`expected TYPE, --key and --payload, ${files} (add --help for help)`);
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
      ...(startWithinMs !== undefined && { startWithinMs: parseNumber("--start-within-ms", startWithinMs) }),
      ...ownOptions(options),
    },
  };
}

/** What the flags of features say. */
function ownOptions(options: object): object {
  const values = new Map(Object.entries(options));
  const of = (name: string): unknown => values.get(memberOf(name));
  const text = (name: string) => {
    const value = of(name);
    return typeof value === "string" ? value : undefined;
  };
  const given: GivenFlags = {
    text,
    texts(name) {
      const value = of(name);
      return Array.isArray(value) ? value.map(String) : undefined;
    },
    number(name) {
      const value = text(name);
      return value === undefined ? undefined : parseNumber(`--${name}`, value);
    },
  };
  return Object.assign({}, ...features.map(({ flags }) => flags?.read(given)));
}

function refuse(options: object, names: readonly string[], why: string): void {
  const values = new Map(Object.entries(options));
  const given = names.filter((name) => values.get(name) !== undefined);
  if (given.length > 0) throw usage(`--${given.join(", --")} ${why}`);
}

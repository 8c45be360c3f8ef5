import { Command, CommanderError } from "commander";
import { readDotEnv } from "../../platform/config/settings.ts";
import { variables } from "../../platform/config/variables.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { nearest } from "../../platform/lib/did-you-mean.ts";
import { exitCode, exitCodeOf } from "./exit-code.ts";
import { readOwnPackage } from "./own-package.ts";
import { endOnLostOutput, printError, untilWritten } from "./screen/output.ts";
import { chooseScreen } from "./screen/screen.ts";

/**
 * Runs one command and ends the process.
 *
 * @param argv as in `process.argv`
 */
export async function main(argv: readonly string[]): Promise<void> {
  endOnLostOutput();
  readDotEnv();
  process.exitCode = await run(argv);
  await untilWritten();
  // A handler that ignores its signal could keep a stopped worker alive.
  process.exit();
}

/**
 * Runs one command in this process.
 *
 * @param argv as in `process.argv`
 * @returns its exit code
 */
export async function run(argv: readonly string[]): Promise<number> {
  try {
    await (await program(argv)).parseAsync([...argv]);
    return Number(process.exitCode ?? exitCode.done);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.done : exitCode.usage;
    if (!(error instanceof HoldfastError)) throw error;
    printError(messageOf(error));
    return exitCodeOf(error);
  }
}

/** All issues of an input: the error's own message names the first, and counts the rest. */
function messageOf({ message, issues }: HoldfastError): string {
  if (!/ \(and \d+ more\)$/.test(message)) return message;
  return issues.map((issue) => `${issue.pointer || "/"}: ${issue.message}`).join("\n");
}

/** The commands of the program, in the order of its help, each with what adds it. */
const groups: readonly (readonly [
  names: readonly string[],
  load: () => Promise<(program: Command) => void>,
])[] = [
  [["init"], async () => (await import("./commands/init.ts")).addInitCommand],
  [["dev", "check-application", "up"], async () => (await import("./commands/roles.ts")).addSystemCommands],
  [
    ["api", "worker", "scheduler", "relay"],
    async () => (await import("./commands/roles.ts")).addRoleCommands,
  ],
  [["submit"], async () => (await import("./commands/submit.ts")).addSubmitCommand],
  [["import"], async () => (await import("./commands/import.ts")).addImportCommand],
  [
    ["status", "overview", "history"],
    async () => (await import("./commands/overview.ts")).addOverviewCommands,
  ],
  [["jobs", "failures"], async () => (await import("./commands/jobs.ts")).addJobsCommands],
  [["acts", "audit"], async () => (await import("./commands/acts.ts")).addActsCommands],
  [["doubts", "effects"], async () => (await import("./commands/doubts.ts")).addDoubtsCommands],
  [["once"], async () => (await import("./commands/once.ts")).addOnceCommand],
  [["schedules"], async () => (await import("./commands/schedules.ts")).addSchedulesCommands],
  [["keys"], async () => (await import("./commands/keys.ts")).addKeysCommands],
  [["workers"], async () => (await import("./commands/workers.ts")).addWorkersCommands],
  [["queues"], async () => (await import("./commands/queues.ts")).addQueuesCommands],
  [["outbox"], async () => (await import("./commands/outbox.ts")).addOutboxCommands],
  [["notices"], async () => (await import("./commands/notices.ts")).addNoticesCommands],
  [["store"], async () => (await import("./commands/store.ts")).addRedisCommands],
  [["doctor"], async () => (await import("./commands/doctor.ts")).addDoctorCommand],
];

/** A role starts sooner, and needs less memory, without the schemas of all operations. */
async function program(argv: readonly string[]): Promise<Command> {
  const named = groups.filter(([names]) => names.some((name) => argv.includes(name)));
  if (named.length === 0 || argv.includes("completion")) return await wholeProgram();
  const holdfast = root();
  for (const [, load] of named) (await load())(holdfast);
  return holdfast;
}

/** All commands, as completions and the docs list them. */
export async function wholeProgram(): Promise<Command> {
  const holdfast = root();
  for (const [, load] of groups) (await load())(holdfast);
  (await import("./commands/completion.ts")).addCompletionCommand(holdfast);
  return holdfast;
}

function root(): Command {
  return new Command("holdfast")
    .description("A durable background-job service on BullMQ and Redis.")
    .version(readOwnPackage().version)
    .exitOverride()
    .configureOutput({ outputError: (message) => printError(withVariable(message).trimEnd()) })
    .showHelpAfterError("(add --help for help)")
    .option("--no-color", "no colors, like NO_COLOR=1; FORCE_COLOR=1 prints them even without a terminal")
    .option("--no-pager", "never open a pager, like PAGER=cat")
    .hook("preAction", (command) => chooseScreen(command.opts()))
    .addHelpText(
      "after",
      "\nExit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 Redis or the database out of reach.",
    );
}

/**
 * Says which variable sets what somebody has tried to set by an option.
 *
 * @param message of the parser, about wrong usage
 */
function withVariable(message: string): string {
  const option = /unknown option '--([\w-]+)/.exec(message)?.[1];
  if (option === undefined || message.includes("Did you mean")) return message;
  const byOption = new Map(Object.keys(variables).map((name) => [optionOf(name), name]));
  const found = nearest(optionOf(option), byOption.keys());
  return found === undefined ? message : `${message}(the variable ${byOption.get(found)} sets it)\n`;
}

/** `HOLDFAST_LOCK_MS` is `lock-ms`. */
function optionOf(name: string): string {
  return name
    .toLowerCase()
    .replaceAll("_", "-")
    .replace(/^holdfast-/, "");
}

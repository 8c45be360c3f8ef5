import { Command, CommanderError } from "commander";
import { readDotEnv } from "../../platform/config/settings.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { addActsCommands } from "./commands/acts.ts";
import { addAuditCommands } from "./commands/audit.ts";
import { addCompletionCommand } from "./commands/completion.ts";
import { addDevCommand } from "./commands/dev.ts";
import { addDoctorCommand } from "./commands/doctor.ts";
import { addDoubtsCommands } from "./commands/doubts.ts";
import { addEffectsCommands } from "./commands/effects.ts";
import { addFailuresCommands } from "./commands/failures.ts";
import { addHistoryCommand } from "./commands/history.ts";
import { addImportCommand } from "./commands/import.ts";
import { addInitCommand } from "./commands/init.ts";
import { addJobsCommands } from "./commands/jobs.ts";
import { addKeysCommands } from "./commands/keys.ts";
import { addNoticesCommands } from "./commands/notices.ts";
import { addOnceCommand } from "./commands/once.ts";
import { addOutboxCommands } from "./commands/outbox.ts";
import { addOverviewCommand } from "./commands/overview.ts";
import { addQueuesCommands } from "./commands/queues.ts";
import { addRoleCommands } from "./commands/roles.ts";
import { addSchedulesCommands } from "./commands/schedules.ts";
import { addStatusCommand } from "./commands/status.ts";
import { addRedisCommands } from "./commands/store.ts";
import { addSubmitCommand } from "./commands/submit.ts";
import { addUpCommand } from "./commands/up.ts";
import { exitCode, exitCodeOf } from "./exit-code.ts";
import { withVariable } from "./option-hint.ts";
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
    await program().parseAsync([...argv]);
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

function program(): Command {
  const holdfast = new Command("holdfast")
    .description("A durable background-job service on BullMQ and Redis.")
    .version(readOwnPackage().version)
    .exitOverride()
    .configureOutput({ outputError: (message, write) => write(withVariable(message)) })
    .showHelpAfterError("(add --help for help)")
    .option("--no-color", "no colors, like NO_COLOR=1; FORCE_COLOR=1 prints them even without a terminal")
    .option("--no-pager", "never open a pager, like PAGER=cat")
    .hook("preAction", (command) => chooseScreen(command.opts()))
    .addHelpText(
      "after",
      "\nExit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 Redis or the database out of reach.",
    );
  addInitCommand(holdfast);
  addDevCommand(holdfast);
  addUpCommand(holdfast);
  addRoleCommands(holdfast);
  addSubmitCommand(holdfast);
  addImportCommand(holdfast);
  addStatusCommand(holdfast);
  addOverviewCommand(holdfast);
  addHistoryCommand(holdfast);
  addJobsCommands(holdfast);
  addActsCommands(holdfast);
  addAuditCommands(holdfast);
  addFailuresCommands(holdfast);
  addDoubtsCommands(holdfast);
  addEffectsCommands(holdfast);
  addOnceCommand(holdfast);
  addSchedulesCommands(holdfast);
  addKeysCommands(holdfast);
  addQueuesCommands(holdfast);
  addOutboxCommands(holdfast);
  addNoticesCommands(holdfast);
  addRedisCommands(holdfast);
  addDoctorCommand(holdfast);
  addCompletionCommand(holdfast);
  return holdfast;
}

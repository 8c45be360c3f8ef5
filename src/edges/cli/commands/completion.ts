import { Argument, type Command } from "commander";
import type { Application } from "../../../core/job/define-config.ts";
import { readSettings } from "../../../platform/config/settings.ts";
import { completionScript, completionsOf, type Shell, shells } from "../completion.ts";
import { loadApplication } from "../load-application.ts";
import { print } from "../screen/output.ts";

/** `holdfast completion`: a script for the shell, with this application's job types and queues. */
export function addCompletionCommand(program: Command): void {
  program
    .command("completion")
    .description("print a script that completes commands, options, job types, states and queues in a shell")
    .addArgument(new Argument("<shell>").choices(shells))
    .addHelpText(
      "after",
      `
  bash  eval "$(holdfast completion bash)" in ~/.bashrc
  zsh   eval "$(holdfast completion zsh)" in ~/.zshrc, after compinit
  fish  holdfast completion fish > ~/.config/fish/completions/holdfast.fish

Job types and queues are those of the application in the folder where the script is made.`,
    )
    .action(async (shell: Shell) =>
      print(completionScript(shell, completionsOf(program, await application()))),
    );
}

/** None where no application can be loaded: the commands are worth completing all the same. */
async function application(): Promise<Application | undefined> {
  return await loadApplication(readSettings().HOLDFAST_CONFIG).catch(() => undefined);
}

import { Argument, type Command, type Option } from "commander";
import type { Application } from "../../../core/job/application.ts";
import { jobStates } from "../../../core/job/job-state.ts";
import { guardedStates } from "../../../desk/guarded/guarded-effects.ts";
import { readSettings } from "../../../platform/config/settings.ts";
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
    .action(async (shell: Shell) => print(scripts[shell](completionsOf(program, await application()))));
}

/** Without an application, the commands can still be completed. */
async function application(): Promise<Application | undefined> {
  return await loadApplication(readSettings().HOLDFAST_CONFIG).catch(() => undefined);
}

/** What may follow: the words after a command's path, and the values after one of its options. */
type Completions = ReadonlyMap<string, readonly string[]>;

const shells = ["bash", "zsh", "fish"] as const;

type Shell = (typeof shells)[number];

/**
 * Lists what can be completed.
 *
 * @param application for the types and queues of its jobs; undefined leaves them out
 * @returns by `path` the subcommands, options and arguments, and by `path --option` its values; the program's own path is ""
 */
function completionsOf(program: Command, application: Named): Completions {
  const found = new Map<string, readonly string[]>();
  const visit = (command: Command, path: string) => {
    const shown = command.createHelp();
    const commands = shown.visibleCommands(command);
    const options = shown.visibleOptions(command);
    const values = shown.visibleArguments(command).flatMap((argument) => valuesOf(argument, application));
    found.set(path, [...commands.map((one) => one.name()), ...values, ...options.flatMap(namesOf)]);
    const valuesAt = path === "effects list" ? { state: guardedStates } : {};
    for (const [name, choices] of options.flatMap((option) => choicesOf(option, application, valuesAt)))
      found.set(`${path} ${name}`.trim(), choices);
    for (const one of commands) if (one.name() !== "help") visit(one, `${path} ${one.name()}`.trim());
  };
  visit(program, "");
  return found;
}

type Values = Readonly<Record<string, readonly string[]>>;

type Named = Pick<Application, "jobs" | "queues"> | undefined;

/** The values of an option, under each of its names. */
function choicesOf(option: Option, application: Named, valuesAt: Values): [string, readonly string[]][] {
  const name = option.attributeName();
  const choices = option.argChoices ?? valuesAt[name] ?? named(name, application);
  return choices.length === 0 ? [] : namesOf(option).map((name) => [name, choices]);
}

function valuesOf(argument: Argument, application: Named): readonly string[] {
  return argument.argChoices ?? named(argument.name(), application);
}

function named(name: string, application: Named): readonly string[] {
  const values: Values = {
    state: jobStates,
    type: [...(application?.jobs.keys() ?? [])],
    queue: application?.queues ?? [],
    as: ["done", "not-done"],
  };
  return values[name] ?? [];
}

function namesOf({ short, long }: Option): string[] {
  return [short, long].filter((name) => name !== undefined);
}

/** Everything is in the script: completing runs nothing of Holdfast. */
const scripts: Readonly<Record<Shell, (completions: Completions) => string>> = {
  bash: (completions) => `# eval "$(holdfast completion bash)" in ~/.bashrc
${wordsInPosix(completions)}
_holdfast() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} path= word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word != -* && " $(_holdfast_words "$path") " == *" $word "* ]] && path="\${path:+$path }$word"
  done
  local words=$(_holdfast_words "\${path:+$path }$previous")
  [[ $previous == -* && -n $words ]] || words=$(_holdfast_words "$path")
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _holdfast holdfast
`,
  zsh: (completions) => `#compdef holdfast
# eval "$(holdfast completion zsh)" in ~/.zshrc, after compinit
${wordsInPosix(completions)}
_holdfast() {
  local previous=\${words[CURRENT-1]} at= word found
  for word in "\${(@)words[2,CURRENT-1]}"; do
    [[ $word != -* && " $(_holdfast_words "$at") " == *" $word "* ]] && at="\${at:+$at }$word"
  done
  found=$(_holdfast_words "\${at:+$at }$previous")
  [[ $previous == -* && -n $found ]] || found=$(_holdfast_words "$at")
  compadd -- \${=found} || _files
}
compdef _holdfast holdfast
`,
  fish: (completions) => `# holdfast completion fish > ~/.config/fish/completions/holdfast.fish
function __holdfast_words
  switch "$argv"
${[...completions].map(([path, words]) => `    case '${path}'\n      string split -- ' ' '${words.join(" ")}'`).join("\n")}
  end
end
function __holdfast
  set -l tokens (commandline -opc)[2..-1]
  set -l path
  for token in $tokens
    string match -q -- '-*' $token; and continue
    contains -- $token (__holdfast_words "$path"); and set path (string trim "$path $token")
  end
  set -l found
  string match -q -- '-*' "$tokens[-1]"; and set found (__holdfast_words (string trim "$path $tokens[-1]"))
  if test (count $found) -gt 0
    printf '%s\\n' $found
  else
    __holdfast_words "$path"
  end
end
complete -c holdfast -f -a '(__holdfast)'
`,
};

function wordsInPosix(completions: Completions): string {
  const cases = [...completions].map(([path, words]) => `    '${path}') echo '${words.join(" ")}' ;;`);
  return `_holdfast_words() {\n  case "$1" in\n${cases.join("\n")}\n  esac\n}`;
}

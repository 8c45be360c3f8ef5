// The reference of the command line, from what the commands say of themselves.

/** Groups of commands, by page: what makes and shows jobs, and what operates them. */
const operating = new Set([
  "acts",
  "audit",
  "doctor",
  "doubts",
  "effects",
  "failures",
  "keys",
  "notices",
  "outbox",
  "queues",
  "schedules",
  "store",
  "workers",
]);

/** For docs/commands.md. */
export async function commandsList() {
  return await listOf((name) => !operating.has(name));
}

/** For docs/commands-operate.md. */
export async function operatingCommandsList() {
  return await listOf((name) => operating.has(name));
}

async function listOf(isHere) {
  const { wholeProgram } = await import("../../build/edges/cli/main.js");
  const { jobFilter } = await import("../../build/desk/jobs/job-filter.js");
  const { doubtFilter } = await import("../../build/desk/doubts/doubt-filter.js");
  const program = await wholeProgram();
  const overview = shown(program).find((command) => command.name() === "overview");
  const shared = [
    { link: "[the filter of jobs](http-jobs.md#get-jobs)", keys: flagsOf(jobFilter) },
    { link: "[the filter of doubts](http-operate.md#get-doubts)", keys: flagsOf(doubtFilter) },
    {
      link: "`--watch`, `--json`: [as for every command that reads](commands.md#which-options-has-every-command-that-reads)",
      keys: optionsOf(overview).map(({ flags, description }) => flags + description),
    },
  ];
  return shown(program)
    .filter((command) => isHere(command.name()))
    .map((command) => `### \`holdfast ${command.name()}\`\n\n${described(command, "", shared)}`)
    .join("\n\n");
}

function flagsOf({ members }) {
  return Object.values(members).map(({ option }) => option.flags);
}

function optionsOf(command) {
  return command
    .createHelp()
    .visibleOptions(command)
    .filter(({ long }) => long !== "--help");
}

function shown(command) {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((one) => one.name() !== "help");
}

function described(command, path, shared) {
  const parts = shown(command);
  if (parts.length > 0)
    return parts.map((part) => described(part, `${command.name()} `, shared)).join("\n\n");
  const args = command.registeredArguments.map((argument) => ` ${argumentText(argument)}`).join("");
  const head = `\`${path}${command.name()}${args}\`: ${command.description()}.`;
  const rows = optionRows(command, shared);
  return rows.length === 0 ? head : [head, "", ...rows].join("\n");
}

function argumentText({ _name: name, required, variadic }) {
  const text = variadic ? `${name}...` : name;
  return required ? `<${text}>` : `[${text}]`;
}

/** What several commands have stands elsewhere, once. */
function optionRows(command, shared) {
  const options = optionsOf(command);
  const keysOf = ({ flags, description }) => [flags, flags + description];
  const had = new Set(options.flatMap(keysOf));
  const found = shared.filter(({ keys }) => keys.every((key) => had.has(key)));
  const isShared = (option) => found.some(({ keys }) => keysOf(option).some((key) => keys.includes(key)));
  const own = options.filter((option) => !isShared(option));
  return [...own.map(optionRow), ...found.map(({ link }) => `- ${link}`)];
}

function optionRow({ flags, description, defaultValue, argChoices, mandatory }) {
  const more = [
    argChoices && `one of ${argChoices.join(", ")}`,
    mandatory && "needed",
    defaultValue !== undefined && typeof defaultValue !== "boolean" && `by default ${defaultValue}`,
  ].filter(Boolean);
  return `- \`${flags}\`: ${[description.replaceAll("<", "\\<"), ...more].join("; ")}`;
}

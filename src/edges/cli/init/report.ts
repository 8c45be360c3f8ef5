import type { FileChange } from "./changes.ts";
import type { Project } from "./project.ts";

/** Says what became of each file, and what to do next. */
export function initReport(project: Project, changes: readonly FileChange[], isDryRun: boolean): string {
  const width = Math.max(...changes.map(({ path }) => path.length));
  const lines = changes.map(
    ({ action, path, note }) =>
      `${action.padEnd(8)} ${note === "" ? path : `${path.padEnd(width)}  ${note}`}`,
  );
  const end = isDryRun ? "Nothing is written: this was a dry run." : nextSteps(project);
  return `${lines.join("\n")}\n\n${end}`;
}

function nextSteps({ isNew, packageManager, sources }: Project): string {
  const prefix = isNew ? "" : "jobs:";
  const run = packageManager === "npm" ? "npm run" : `${packageManager} run`;
  const steps = [
    [`${packageManager} install`, "installs what package.json names"],
    [`${run} ${prefix}dev`, "API, worker, scheduler and store, loaded anew after each change"],
    [`${run} ${prefix}test`, "the job's test, and a crash sweep"],
  ];
  const width = Math.max(...steps.map(([command = ""]) => command.length));
  const lines = steps.map(([command = "", does = ""]) => `  ${command.padEnd(width)}  # ${does}`);
  return `Next:\n\n${lines.join("\n")}\n\nYour first job is in ${sources}jobs/greeting/.`;
}

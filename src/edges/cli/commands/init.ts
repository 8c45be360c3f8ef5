import type { Command } from "commander";
import { print } from "../screen/output.ts";

export function addInitCommand(program: Command): void {
  program
    .command("init")
    .description("write a first job into this folder: contract, handler, schedule, configuration, test")
    .option("--deploy", "also write a Dockerfile, a Compose file and systemd units")
    .option("--dry-run", "say what would be written, and write nothing")
    .addHelpText(
      "after",
      `
In an empty folder or an existing project. It asks nothing and overwrites nothing: files that exist are kept, and scripts and
dependencies are added to package.json only where they are absent.`,
    )
    .action(init);
}

interface Options {
  readonly deploy?: boolean;
  readonly dryRun?: boolean;
}

async function init({ deploy: withDeploy = false, dryRun: isDryRun = false }: Options): Promise<void> {
  const { readProject } = await import("../init/project.ts");
  const { planChanges, writeChanges } = await import("../init/changes.ts");
  const { initReport } = await import("../init/changes.ts");
  const project = readProject(process.cwd());
  const changes = planChanges(project, withDeploy);
  if (!isDryRun) writeChanges(project.folder, changes);
  print(initReport(project, changes, { isDryRun, withDeploy }));
}

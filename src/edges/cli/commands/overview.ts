import type { Command } from "commander";
import { withOperator } from "../connections.ts";
import { describeOverview } from "../screen/overview-text.ts";
import { addShowOptions, type ShowOptions, show } from "../screen/show.ts";

export function addOverviewCommand(program: Command): void {
  addShowOptions(program.command("overview"))
    .description("show what is going on: types, queues and workers, and what failed in the last hour")
    .action(overview);
}

async function overview(options: ShowOptions): Promise<void> {
  await withOperator(async (operator) => {
    await show({ read: operator.overview, describe: describeOverview, json: (found) => [found] }, options);
  });
}

import type { Command } from "commander";
import { withApplication } from "../connections.ts";
import { describeOverview } from "../screen/overview-text.ts";
import { addShowOptions, type ShowOptions, show } from "../screen/show.ts";

/** `holdfast overview`: what is going on. */
export function addOverviewCommand(program: Command): void {
  addShowOptions(program.command("overview"))
    .description("show what is going on: types, queues and workers, and what failed in the last hour")
    .action(overview);
}

async function overview(options: ShowOptions): Promise<void> {
  const { openOverviewReader } = await import("../../../desk/overview/read-overview.ts");
  const { openQueueStores } = await import("../../../core/bullmq/store/queue-store.ts");
  const { readLayouts } = await import("../../../core/bullmq/store/layouts.ts");
  await withApplication(async (application, redis, settings) => {
    const { HOLDFAST_PREFIX: prefix } = settings;
    const layouts = await readLayouts(redis.client, prefix, application.queues);
    const reader = openOverviewReader({
      stores: openQueueStores(redis, prefix, layouts),
      application,
      settings,
      clock: { offsetMs: () => 0 },
    });
    await show({ read: () => reader.read(), describe: describeOverview, json: (found) => [found] }, options);
  });
}

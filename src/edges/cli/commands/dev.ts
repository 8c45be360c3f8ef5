import type { Command } from "commander";

/** `holdfast dev`. Its code is loaded when it runs, so that other commands start quickly. */
export function addDevCommand(program: Command): void {
  program
    .command("dev")
    .description("run everything on this machine, and load the application anew after each change")
    .addHelpText("after", "\nLike holdfast up: without REDIS_URL it also runs an embedded Redis.")
    .action(async () => await (await import("../system/run-dev.ts")).runDev());
  program
    .command("check-application", { hidden: true })
    .action(async () => await (await import("../system/check-application.ts")).checkApplication());
}

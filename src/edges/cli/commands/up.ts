import type { Command } from "commander";

/** `holdfast up`. Its code is loaded when it runs, so that other commands start quickly. */
export function addUpCommand(program: Command): void {
  program
    .command("up")
    .description("run everything on this machine: API, worker and scheduler, each in its own process")
    .addHelpText("after", "\nWithout REDIS_URL it also runs an embedded Redis.")
    .action(async () => await (await import("../system/run-up.ts")).runUp());
}

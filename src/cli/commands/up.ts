import type { Command } from "commander";

/** Its code is loaded when it runs, so that other commands start quickly. */
export function addUpCommand(program: Command): void {
  program
    .command("up")
    .description("run everything here: API, worker and scheduler, each as a process of its own")
    .addHelpText(
      "after",
      "\nWithout REDIS_URL it also runs an embedded store, without SMTP_URL a development mailbox.",
    )
    .action(async () => await (await import("../run-up.ts")).runUp());
}

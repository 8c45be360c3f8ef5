import type { Command } from "commander";
import { HoldfastError } from "../../errors/holdfast-error.ts";
import { withOperator } from "../connections.ts";
import { print } from "../output.ts";
import { username } from "../username.ts";

/** `holdfast store`. */
export function addRedisCommands(program: Command): void {
  program
    .command("store")
    .description("continue after Redis has lost data")
    .command("accept-loss")
    .description("let workers claim jobs and effects begin again, after you have checked what was lost")
    .requiredOption("--evidence <text>", "what was lost, and why work may continue; kept in the audit log")
    .action(accept);
}

async function accept({ evidence }: { readonly evidence: string }): Promise<void> {
  if (evidence.trim() === "") throw new HoldfastError("USAGE", "--evidence: expected a text");
  const accepted = await withOperator((operator) => operator.acceptLoss({ evidence, by: username() }));
  print(
    accepted.length === 0
      ? "no data loss is known"
      : `accepted for ${accepted.join(", ")}; every process continues within a second`,
  );
}

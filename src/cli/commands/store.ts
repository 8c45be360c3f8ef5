import type { Command } from "commander";
import { HoldfastError } from "../../errors/holdfast-error.ts";
import { withOperator } from "../connections.ts";
import { print } from "../output.ts";
import { username } from "../username.ts";

/** The operator's hand on the store. */
export function addRedisCommands(program: Command): void {
  program
    .command("store")
    .description("go on with a store that has lost something")
    .command("accept-loss")
    .description("let jobs be taken and effects begin again, after you have looked at what was lost")
    .requiredOption("--evidence <text>", "what was lost, and why it may go on; kept in the audit list")
    .action(accept);
}

async function accept({ evidence }: { readonly evidence: string }): Promise<void> {
  if (evidence.trim() === "") throw new HoldfastError("USAGE", "--evidence: expected a text");
  const accepted = await withOperator((operator) => operator.acceptLoss({ evidence, by: username() }));
  print(
    accepted.length === 0
      ? "the store has lost nothing that is known"
      : `accepted for ${accepted.join(", ")}; every process goes on within a second`,
  );
}

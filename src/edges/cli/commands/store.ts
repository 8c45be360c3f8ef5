import type { Command } from "commander";
import { serviceOperations } from "../../../desk/operations/service.ts";
import { readSettings } from "../../../platform/config/settings.ts";
import { durationText } from "../../../platform/lib/duration-text.ts";
import { addOperationCommand } from "../operation-command.ts";
import { type Json, printOutcome } from "../screen/output.ts";

export function addRedisCommands(program: Command): void {
  const store = program
    .command("store")
    .description("continue after Redis has lost data, or move its master");
  addOperationCommand(store, "accept-loss", serviceOperations.acceptLoss, {
    description: "let workers claim jobs and effects begin again, after you have checked what was lost",
    isForGuards: true,
    describe: ({ accepted }) =>
      accepted.length === 0
        ? "no data loss is known"
        : `accepted for ${accepted.join(", ")}; every process continues within a second`,
  });
  store
    .command("failover")
    .description(
      "make a replica of a Sentinel set the master without losing a write: hold all writes (CLIENT PAUSE … WRITE), wait until " +
        "every replica has them, SENTINEL FAILOVER, REPLICAOF on the old master, release them",
    )
    .option("--json", "print the masters before and after as JSON")
    .action(failover);
}

async function failover({ json }: Json): Promise<void> {
  const settings = readSettings();
  const { reachRedis } = await import("../../../platform/redis/connect.ts");
  const { failOver } = await import("../../../desk/planned-failover.ts");
  const { client, stop } = await reachRedis(settings, "fail-fast");
  try {
    const moved = await failOver(client);
    const { from, to, heldMs } = moved;
    printOutcome(
      json,
      moved,
      `${to} is the master now, and has every write of ${from}; writes were held for ${durationText(heldMs)}`,
    );
  } finally {
    await stop();
  }
}

import type { Command } from "commander";
import type { Shown } from "../../../desk/operations/operation.ts";
import { workerOperations } from "../../../desk/operations/workers.ts";
import type { Overview } from "../../../desk/overview/overview.ts";
import type { WorkerView } from "../../../desk/workers/workers.ts";
import { withOperator } from "../connections.ts";
import { addOperationCommand } from "../operation-command.ts";
import { printHint } from "../screen/output.ts";
import { workersTable } from "../screen/overview-text.ts";
import { screen } from "../screen/screen.ts";
import { addShowOptions, type ShowOptions, show } from "../screen/show.ts";

export function addWorkersCommands(program: Command): void {
  const workers = program
    .command("workers")
    .description("list worker processes, quiet one, and wake it again");
  addShowOptions(workers.command("list"))
    .description("list the worker processes of each queue, with what they run")
    .action(list);
  addOperationCommand(workers, "quiet", workerOperations.quietWorker, {
    description:
      "let one worker process claim no more jobs, within five seconds; its running jobs go on (names: holdfast workers list)",
    describe: described,
    after(_, { params: { name } }) {
      printHint(`to let it claim jobs again: holdfast workers wake ${name}`);
    },
  });
  addOperationCommand(workers, "wake", workerOperations.wakeWorker, {
    description: "let a quiet worker process claim jobs again, within five seconds",
    describe: described,
  });
}

async function list(options: ShowOptions): Promise<void> {
  await withOperator(async ({ overview }) => {
    const describe = ({ workers, at }: Overview) => workersTable(workers, Date.parse(at), screen().columns);
    await show({ read: overview, describe, json: ({ workers }) => workers }, options);
  });
}

function described({ name, queues, quiet }: Shown<WorkerView>): string {
  const from = queues.length === 0 ? "" : ` of ${queues.join(", ")}`;
  if (quiet === null) return `worker ${name}${from} may claim jobs again`;
  return `worker ${name}${from} is told to claim no more jobs, since ${quiet.since} by ${quiet.by}: ${quiet.reason}`;
}

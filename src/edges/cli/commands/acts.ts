import type { Command } from "commander";
import type { ActStatus } from "../../../desk/acts/acts.ts";
import type { Operator } from "../../../desk/operator.ts";
import { username } from "../../username.ts";
import { withOperator } from "../connections.ts";
import { parseWhole } from "../option-values.ts";
import { type Json, print, printJson } from "../screen/output.ts";
import { listOf } from "../screen/table.ts";

export function addActsCommands(program: Command): void {
  const acts = program.command("acts").description("see and stop acts on many jobs");
  acts
    .command("list")
    .description("list acts on many jobs: those that have not ended first, then the latest")
    .option("--limit <n>", "how many at most, 1 to 200", "20")
    .option("--json", "print one JSON object a line")
    .action(list);
  addOne(acts.command("show").description("print how far an act is"), ({ acts }, id) => acts.read(id));
  addOne(acts.command("stop").description("stop an act; what it has done stays done"), ({ acts }, id) =>
    acts.stop(id, username()),
  );
}

function addOne(command: Command, use: (operator: Operator, id: string) => Promise<ActStatus>): void {
  command
    .argument("<id>", "the act's id")
    .option("--json", "print it as JSON")
    .action(async (id: string, { json }: Json) => {
      await withOperator(async (operator) => show([await use(operator, id)], json));
    });
}

async function list({ limit, json }: Json & { readonly limit: string }): Promise<void> {
  const most = parseWhole("--limit", limit, "a number from 1 to 200", 200);
  await withOperator(async (operator) => show(await operator.acts.list(most), json));
}

function show(acts: readonly ActStatus[], json: true | undefined): void {
  if (json) printJson(...acts);
  else print(describe(acts));
}

const describe = listOf<ActStatus>("no acts", [
  ["id", ({ id }) => id],
  ["act", ({ act, jobs }) => `${act} ${jobs}`],
  ["state", ({ state }) => state],
  ["jobs", ({ done, skipped, total }) => `${done + skipped}/${total ?? "?"}`],
  ["started", ({ startedAt }) => startedAt, 1],
  ["by", ({ by, reason }) => `${by}: ${reason}`],
]);

import type { Command } from "commander";
import type { FailureGroup, FailureGroups } from "../../../desk/jobs/failure-groups.ts";
import { withOperator } from "../connections.ts";
import { printHint } from "../screen/output.ts";
import { addShowOptions, type ShowOptions, show } from "../screen/show.ts";
import { type ColumnOf, tableOf } from "../screen/table.ts";
import { type Lines, toned } from "../screen/text.ts";

export function addFailuresCommands(program: Command): void {
  const failures = program
    .command("failures")
    .description("group failed jobs by reason; `holdfast jobs retry` retries whole groups");
  addShowOptions(failures.command("list"))
    .description("group failed jobs by type, code and message, most frequent first")
    .action(list);
}

async function list(options: ShowOptions): Promise<void> {
  await withOperator(async ({ failures }) => {
    const { groups } = await show({ read: failures, describe, json: (found) => found.groups }, options);
    if (groups.length > 0)
      printHint("to retry one of them: holdfast jobs retry --type TYPE --code CODE --reason TEXT");
  });
}

const columns: readonly ColumnOf<FailureGroup>[] = [
  ["jobs", ({ count }) => count],
  ["type", ({ type }) => type],
  ["code", ({ code }) => code],
  ["latest", ({ lastAt }) => lastAt, 1],
  ["example", ({ exampleId }) => exampleId, 2],
  ["message", ({ messagePattern, message }) => messagePattern ?? message],
];

function describe({ groups, scanned, isComplete }: FailureGroups): Lines {
  if (groups.length === 0) return "no failed jobs";
  const lines = tableOf(columns, groups);
  return isComplete
    ? lines
    : [...lines, [toned(`(at least: of the latest ${scanned} that failed)`, "faint")]];
}

import type { Command } from "commander";
import type { FailureGroups } from "../../operate/failure-groups.ts";
import { withOperator } from "../connections.ts";
import { print, printJson } from "../output.ts";
import { table } from "../table.ts";

/** `holdfast failures`. */
export function addFailuresCommands(program: Command): void {
  const failures = program
    .command("failures")
    .description("group failed jobs by reason; `holdfast jobs retry` retries whole groups");
  failures
    .command("list")
    .description("group failed jobs by type, code and message, most frequent first")
    .option("--json", "print one JSON object a line")
    .action(list);
}

async function list({ json }: { readonly json?: true }): Promise<void> {
  await withOperator(async (operator) => {
    const found = await operator.failures();
    if (json) printJson(...found.groups);
    else print(describe(found));
  });
}

function describe({ groups, scanned, isComplete }: FailureGroups): string {
  if (groups.length === 0) return "no failed jobs";
  const rows = groups.map(({ type, code, count, lastAt, exampleId, message, messagePattern }) => [
    String(count),
    type,
    code,
    lastAt,
    exampleId,
    messagePattern ?? message,
  ]);
  const text = table(["jobs", "type", "code", "latest", "example", "message"], rows);
  return isComplete ? text : `${text}\n(of the latest ${scanned} that failed)`;
}

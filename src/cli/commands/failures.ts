import type { Command } from "commander";
import type { Operator } from "../../operate/operator.ts";
import type { FailureGroup, FailureGroups } from "../../watch/failure-groups.ts";
import { withOperator } from "../connections.ts";
import { print, printJson } from "../output.ts";
import { table } from "../table.ts";

interface RetryOptions {
  readonly type?: string;
  readonly code?: string;
}

/** So many a call; the bar moves with each. */
const AT_ONCE = 200;

/** The operator's hand on many failed jobs at once. */
export function addFailuresCommands(program: Command): void {
  const failures = program
    .command("failures")
    .description("group failed jobs by reason, and retry whole groups");
  failures
    .command("list")
    .description("group failed jobs by type and code, the most frequent first")
    .option("--json", "print one JSON object a line")
    .action(list);
  failures
    .command("retry")
    .description(
      "retry all failed jobs that match, those that failed first first; effects that are done stay done",
    )
    .option("--type <type>", "only jobs of this type")
    .option("--code <code>", "only jobs that failed with this code, e.g. HANDLER_FAILED")
    .action(retry);
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
  const rows = groups.map(({ type, code, count, lastAt, exampleId, message }) => [
    String(count),
    type,
    code,
    lastAt,
    exampleId,
    message,
  ]);
  const told = table(["jobs", "type", "code", "latest", "example", "message"], rows);
  return isComplete ? told : `${told}\n(of the latest ${scanned} that failed)`;
}

async function retry(wanted: RetryOptions): Promise<void> {
  await withOperator(async (operator) => {
    // What fails again meanwhile is not retried again.
    const before = Date.now();
    const { groups } = await operator.failures();
    const matching = groups.filter((group) => matches(group, wanted));
    const total = matching.reduce((sum, { count }) => sum + count, 0);
    const retried = await retryAll(operator, { ...wanted, before }, total);
    print(`${retried} of ${total} retried`);
  });
}

function matches({ type, code }: FailureGroup, wanted: RetryOptions): boolean {
  return (wanted.type ?? type) === type && (wanted.code ?? code) === code;
}

async function retryAll(
  operator: Operator,
  query: RetryOptions & { readonly before: number },
  total: number,
): Promise<number> {
  const { default: progress } = await import("cli-progress");
  const bar = new progress.SingleBar({
    format: "{bar} {value} of {total} jobs",
    hideCursor: true,
    clearOnComplete: true,
  });
  if (process.stderr.isTTY) bar.start(total, 0);
  let retried = 0;
  try {
    for (let cursor: string | undefined | null; cursor !== null; ) {
      const step = await operator.retryFailed({ ...query, limit: AT_ONCE, cursor });
      retried += step.retried;
      cursor = step.nextCursor;
      if (process.stderr.isTTY) bar.update(retried);
    }
    return retried;
  } finally {
    bar.stop();
  }
}

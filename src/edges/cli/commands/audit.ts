import type { Command } from "commander";
import type { AuditEntry } from "../../../desk/audit/audit-log.ts";
import { withOperatorIfAny } from "../connections.ts";
import { requireKnown } from "../known-names.ts";
import { parseWhole } from "../option-values.ts";
import { addShowOptions, type ShowOptions, show } from "../screen/show.ts";
import { listOf } from "../screen/table.ts";

interface ListOptions extends ShowOptions {
  readonly job?: string;
  readonly queue?: string;
  readonly limit: string;
}

const LIMIT_MAX = 10_000;

export function addAuditCommands(program: Command): void {
  const audit = program.command("audit").description("see who did what, when and why");
  addShowOptions(audit.command("list"))
    .description("list who did what by hand, when and why, the latest first")
    .option("--job <id>", "only what was done to this job")
    .option("--queue <name>", "only what was done in this queue")
    .option("--limit <n>", "how many at most", "50")
    .action(list);
}

async function list({ job, queue, limit, ...options }: ListOptions): Promise<void> {
  const most = parseWhole("--limit", limit, `1 to ${LIMIT_MAX}`, LIMIT_MAX);
  await withOperatorIfAny(async (operator) => {
    await requireKnown(operator, { queue });
    const read = () => operator.auditTrail(most, { jobId: job, queue });
    await show({ read, describe, json: (entries) => entries }, options);
  });
}

const describe = listOf<AuditEntry>("nothing was done by hand, as far as is known", [
  ["when", ({ at }) => at],
  ["what", ({ as }) => as],
  ["on", onWhat],
  ["jobs", ({ count }) => count, 1],
  ["by", ({ by }) => by],
  ["why", ({ evidence }) => evidence],
]);

function ofNoQueue(as: string): string {
  if (as.startsWith("outbox-")) return "the outbox";
  if (as.startsWith("notice")) return "notices";
  return as === "loss-accepted" ? "Holdfast's own queues" : "API keys";
}

function onWhat({ jobId, effect, queue, schedule, as }: AuditEntry): string {
  if (schedule !== "") return `schedule ${schedule}`;
  if (jobId === "") return queue === "" ? ofNoQueue(as) : `queue ${queue}`;
  return effect === "" ? jobId : `${jobId} ${effect}`;
}

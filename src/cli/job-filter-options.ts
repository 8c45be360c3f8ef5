import type { Command } from "commander";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { jobStates } from "../job/job-state.ts";
import type { JobFilter, JobFilterText } from "../operate/job-filter.ts";
import { requireCode, requireState } from "./known-names.ts";

/** What the options of `addFilterOptions` give. */
export interface FilterOptions {
  readonly queue?: string;
  readonly type?: string;
  readonly state?: string;
  readonly tag?: string;
  readonly code?: string;
  readonly error?: string;
  readonly messagePattern?: string;
  readonly key?: string;
  readonly keyPart?: string;
  readonly from?: string;
  readonly to?: string;
  readonly endedFrom?: string;
  readonly endedTo?: string;
}

/** The options by which commands choose jobs. */
export function addFilterOptions(command: Command, states: readonly string[] = jobStates): Command {
  return command
    .option("--queue <name>", "only jobs in this queue")
    .option("--type <type>", "only jobs of this type")
    .option("--state <state>", `one of ${states.join(", ")}`)
    .option("--tag <tag>", "only jobs submitted with this tag")
    .option("--code <code>", "only jobs that failed with this code, e.g. HANDLER_FAILED")
    .option("--error <text>", "only jobs whose error contains this text, in upper or lower case")
    .option(
      "--message-pattern <text>",
      "only jobs whose error is this without its numbers, ids and quoted parts, as failures list prints it",
    )
    .option("--key <key>", "only the job of each type with this idempotency key")
    .option("--key-part <text>", "only jobs whose idempotency key contains this text")
    .option("--from <instant>", "only jobs submitted at or after this, e.g. 2026-12-01T09:00:00Z")
    .option("--to <instant>", "only jobs submitted before this")
    .option("--ended-from <instant>", "only jobs that ended at or after this")
    .option("--ended-to <instant>", "only jobs that ended before this");
}

/** @param states as for `addFilterOptions` @throws HoldfastError `USAGE` */
export async function filterOf(
  options: FilterOptions,
  states: readonly string[] = jobStates,
): Promise<JobFilter> {
  const { jobFilterSchema } = await import("../operate/job-filter.ts");
  const { queue, type, state, tag, code, error: errorText, key: idempotencyKey } = options;
  const { messagePattern, keyPart, from, to, endedFrom, endedTo } = options;
  requireState(state, states);
  requireCode(code);
  const kind = { messagePattern, keyPart, queue, type, state, tag, code, errorText, idempotencyKey };
  const parsed = jobFilterSchema.safeParse({ ...kind, from, to, endedFrom, endedTo });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const name = issue?.path[0] as keyof JobFilterText | undefined;
  throw new HoldfastError("USAGE", name === undefined ? "invalid filter" : faultOf(name, options));
}

const flags: Readonly<Record<keyof JobFilterText, readonly [flag: keyof FilterOptions, expected: string]>> = {
  queue: ["queue", "the name of a queue"],
  type: ["type", "a job type"],
  state: ["state", `one of ${jobStates.join(", ")}`],
  tag: ["tag", "1 to 64 letters, digits and . _ : @ / -, the first a letter or digit"],
  code: ["code", "a code of docs/errors.md, e.g. HANDLER_FAILED"],
  errorText: ["error", "1 to 200 characters"],
  messagePattern: ["messagePattern", "1 to 200 characters"],
  idempotencyKey: ["key", "at most 512 characters"],
  keyPart: ["keyPart", "1 to 200 characters"],
  from: ["from", "an instant such as 2026-12-01T09:00:00Z"],
  to: ["to", "an instant such as 2026-12-01T09:00:00Z"],
  endedFrom: ["endedFrom", "an instant such as 2026-12-01T09:00:00Z"],
  endedTo: ["endedTo", "an instant such as 2026-12-01T09:00:00Z"],
};

function faultOf(name: keyof JobFilterText, options: FilterOptions): string {
  const [flag, expected] = flags[name];
  const option = flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return `--${option}: expected ${expected}, got "${options[flag] ?? ""}"`;
}

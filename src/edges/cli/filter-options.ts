import type { Command } from "commander";
import { jobStates } from "../../core/job/job-state.ts";
import type { DoubtFilter } from "../../desk/doubts/doubts-many.ts";
import { INSTANT_EXPECTED, instantOf } from "../../desk/jobs/instant.ts";
import type { JobFilter } from "../../desk/jobs/job-filter.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
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
    .option("--from <when>", "only jobs submitted at or after this: 2026-12-01T09:00:00Z, 2026-12-01 or 12h")
    .option("--to <when>", "only jobs submitted before this")
    .option("--ended-from <when>", "only jobs that ended at or after this")
    .option("--ended-to <when>", "only jobs that ended before this");
}

/** A filter whose ages count back from Redis's clock, in milliseconds since 1970. */
export type FilterAt = (now: number) => JobFilter;

/** Checks the options before Redis is asked. @param states as for `addFilterOptions` @throws HoldfastError `USAGE` */
export async function filterOf(
  options: FilterOptions,
  states: readonly string[] = jobStates,
): Promise<FilterAt> {
  const { queue, type, state, tag, code, error: errorText, key: idempotencyKey } = options;
  const { messagePattern, keyPart } = options;
  requireState(state, states);
  requireCode(code);
  const kind = { messagePattern, keyPart, queue, type, state, tag, code, errorText, idempotencyKey };
  const filter = await parsedKind(kind, options);
  const filterAt = (now: number) => ({ ...filter, ...timesOf(options, now) });
  filterAt(Date.now());
  return filterAt;
}

async function parsedKind(
  kind: Record<keyof typeof flags, unknown>,
  options: FilterOptions,
): Promise<JobFilter> {
  const { jobFilterSchema } = await import("../../desk/jobs/job-filter.ts");
  const parsed = jobFilterSchema.safeParse(kind);
  if (parsed.success) return parsed.data;
  const name = parsed.error.issues[0]?.path[0] as keyof typeof flags | undefined;
  throw new HoldfastError("USAGE", name === undefined ? "invalid filter" : faultOf(name, options));
}

function timesOf({ from, to, endedFrom, endedTo }: FilterOptions, now: number) {
  return {
    from: readInstant("from", from, now),
    to: readInstant("to", to, now),
    endedFrom: readInstant("ended-from", endedFrom, now),
    endedTo: readInstant("ended-to", endedTo, now),
  };
}

const flags = {
  queue: ["queue", "the name of a queue"],
  type: ["type", "a job type"],
  state: ["state", `one of ${jobStates.join(", ")}`],
  tag: ["tag", "1 to 64 letters, digits and . _ : @ / -, the first a letter or digit"],
  code: ["code", "a code of docs/errors.md, e.g. HANDLER_FAILED"],
  errorText: ["error", "1 to 200 characters"],
  messagePattern: ["messagePattern", "1 to 200 characters"],
  idempotencyKey: ["key", "at most 512 characters"],
  keyPart: ["keyPart", "1 to 200 characters"],
} as const satisfies Partial<Record<keyof JobFilter, readonly [flag: keyof FilterOptions, expected: string]>>;

function faultOf(name: keyof typeof flags, options: FilterOptions): string {
  const [flag, expected] = flags[name];
  const option = flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return `--${option}: expected ${expected}, got "${options[flag] ?? ""}"`;
}

/** What the options of `addDoubtFilter` give. */
export interface DoubtFilterOptions {
  readonly type?: string;
  readonly effect?: string;
  readonly worker?: string;
  readonly since?: string;
  readonly until?: string;
  readonly reason?: string;
}

/** The options by which commands choose doubts. */
export function addDoubtFilter(command: Command): Command {
  return command
    .option("--type <type>", "only doubts of jobs of this type")
    .option("--effect <name>", "only doubts about this effect, with or without its index")
    .option("--worker <name>", "only doubts of what this worker ran")
    .option(
      "--since <when>",
      "only doubts that began at or after this: 2026-12-01T09:00:00Z, 2026-12-01 or 12h",
    )
    .option("--until <when>", "only doubts that began before this")
    .option("--reason <text>", "only doubts whose reason contains this text");
}

/**
 * @param now Redis's clock, in milliseconds since 1970; before it is known, any instant checks the options
 * @throws HoldfastError `USAGE`
 */
export function doubtFilterOf(options: DoubtFilterOptions, now = Date.now()): DoubtFilter {
  const { type, effect, worker, since, until, reason: reasonText } = options;
  const times = { since: readInstant("since", since, now), until: readInstant("until", until, now) };
  return { type, effect, worker, reasonText, ...times };
}

/**
 * Milliseconds since 1970 of an option that is an instant, a day or an age.
 *
 * @param option its name without dashes
 * @param now Redis's clock, in milliseconds since 1970: ages count back from it
 * @throws HoldfastError `USAGE`
 */
export function readInstant(option: string, text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const at = instantOf(text, now);
  if (at !== undefined) return at;
  throw new HoldfastError("USAGE", `--${option}: expected ${INSTANT_EXPECTED}, got "${text}"`);
}

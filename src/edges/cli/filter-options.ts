import { type Command, Option } from "commander";
import { jobStates } from "../../core/job/job-state.ts";
import type { FilterOption } from "../../core/status/filter-member.ts";
import type { DoubtFilter } from "../../desk/doubts/doubt-filter.ts";
import { INSTANT_EXPECTED, instantOf } from "../../desk/jobs/instant.ts";
import {
  filterOptions,
  instantMembers,
  type JobFilter,
  jobFilterSchema,
} from "../../desk/jobs/job-filter.ts";
import { usage } from "./exit-code.ts";
import { requireCode, requireState } from "./known-names.ts";

/** What the options of `addFilterOptions` give, by their names. */
export type FilterOptions = Readonly<Record<string, unknown>> & {
  readonly queue?: string;
  readonly type?: string;
  readonly state?: string;
  readonly code?: string;
};

export function addFilterOptions(command: Command, states: readonly string[] = jobStates): Command {
  for (const [member, { flags, help }] of filterOptions)
    command.option(flags, member === "state" ? `one of ${states.join(", ")}` : help);
  return command;
}

/** A filter whose ages count back from Redis's clock, in milliseconds since 1970. */
export type FilterAt = (now: number) => JobFilter;

/** Checks the options before Redis is asked. @param states as for `addFilterOptions` @throws HoldfastError `USAGE` */
export function filterOf(options: FilterOptions, states: readonly string[] = jobStates): FilterAt {
  requireState(options.state, states);
  requireCode(options.code);
  const given = filterOptions.map(([member, option]) => ({ member, option, text: textOf(option, options) }));
  const kinds = given.filter(({ member }) => !instantMembers.includes(member));
  const instants = given.filter(({ member }) => instantMembers.includes(member));
  const parsed = jobFilterSchema.safeParse(
    Object.fromEntries(kinds.map(({ member, text }) => [member, text])),
  );
  if (!parsed.success) {
    const [name] = parsed.error.issues[0]?.path ?? [];
    const faulty = kinds.find(({ member }) => member === name);
    throw usage(faulty === undefined ? "invalid filter" : faultOf(faulty));
  }
  const filterAt = (now: number) => ({
    ...parsed.data,
    ...Object.fromEntries(
      instants.map(({ member, option, text }) => [member, readInstant(nameOf(option), text, now)]),
    ),
  });
  filterAt(Date.now());
  return filterAt;
}

/** @param otherwise what is expected without a filter @throws HoldfastError `USAGE` unless either a filter or `--all` is given */
export function requireScope(
  command: string,
  filter: object,
  all: true | undefined,
  otherwise: string,
): void {
  const isNarrow = Object.values(filter).some((value) => value !== undefined);
  if (isNarrow === (all === undefined)) return;
  throw usage(`${command}: expected ${isNarrow ? "--all without a filter" : otherwise}`);
}

/** Without dashes. */
function nameOf({ flags }: FilterOption): string {
  return new Option(flags).name();
}

function textOf({ flags }: FilterOption, options: FilterOptions): string | undefined {
  return options[new Option(flags).attributeName()] as string | undefined;
}

function faultOf({ option, text }: { readonly option: FilterOption; readonly text: string | undefined }) {
  return `--${nameOf(option)}: expected ${option.expected}, got "${text ?? ""}"`;
}

/** What the options of `addDoubtFilter` give. */
export interface DoubtFilterOptions {
  readonly type?: string;
  readonly effect?: string;
  readonly worker?: string;
  readonly verdict?: string;
  readonly since?: string;
  readonly until?: string;
  readonly reason?: string;
}

export function addDoubtFilter(command: Command): Command {
  return command
    .option("--type <type>", "only doubts of jobs of this type")
    .option("--effect <name>", "only doubts about this effect, with or without its index")
    .option("--worker <name>", "only doubts of what this worker ran")
    .option("--verdict <text>", 'only doubts of which this was seen last, such as "answered 500"')
    .option(
      "--since <when>",
      "only doubts that began at or after this: 2026-12-01T09:00:00Z, 2026-12-01 or 12h",
    )
    .option("--until <when>", "only doubts that began before this")
    .option("--reason <text>", "only doubts whose reason contains this text");
}

/**
 * @param now Redis's clock, in milliseconds since 1970; before that is known, any instant will do to check the options
 * @throws HoldfastError `USAGE`
 */
export function doubtFilterOf(options: DoubtFilterOptions, now = Date.now()): DoubtFilter {
  const { type, effect, worker, verdict, since, until, reason: reasonText } = options;
  const times = { since: readInstant("since", since, now), until: readInstant("until", until, now) };
  return { type, effect, worker, verdict, reasonText, ...times };
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
  throw usage(`--${option}: expected ${INSTANT_EXPECTED}, got "${text}"`);
}

import { type Command, Option } from "commander";
import { jobStates } from "../../core/job/job-state.ts";
import type { FilterOption } from "../../core/status/filter-member.ts";
import { type DoubtFilter, doubtFilter } from "../../desk/doubts/doubt-filter.ts";
import { type DeclaredFilter, isNarrow } from "../../desk/filter.ts";
import { INSTANT_EXPECTED, instantOf } from "../../desk/jobs/instant.ts";
import { type JobFilter, jobFilter } from "../../desk/jobs/job-filter.ts";
import { usage } from "./exit-code.ts";
import { requireCode, requireState } from "./known-names.ts";

/** What the options of filters give, by their names. */
export type FilterOptions = Readonly<Record<string, unknown>> & {
  readonly queue?: string;
  readonly type?: string;
  readonly state?: string;
  readonly code?: string;
  readonly until?: string;
};

/** A filter whose ages count back from an instant of Redis's clock, in milliseconds since 1970. */
export type FilterAt<Filter = JobFilter> = (now: number) => Filter;

/** @param states that make sense here */
export function addJobFilter(command: Command, states: readonly string[] = jobStates): Command {
  return addFilterOptions(jobFilter, command, { state: `one of ${states.join(", ")}` });
}

/** Checks the options before Redis is asked. @param states as for `addJobFilter` @throws HoldfastError `USAGE` */
export function jobFilterOf(options: FilterOptions, states: readonly string[] = jobStates): FilterAt {
  requireState(options.state, states);
  requireCode(options.code);
  return readFilter(jobFilter, options) as FilterAt;
}

/** The same for doubts. @throws HoldfastError `USAGE` */
export function doubtFilterOf(options: FilterOptions): FilterAt<DoubtFilter> {
  return readFilter(doubtFilter, options) as FilterAt<DoubtFilter>;
}

/** @param otherHelp of members that need another */
export function addFilterOptions(
  filter: DeclaredFilter,
  command: Command,
  otherHelp: Readonly<Record<string, string>> = {},
): Command {
  for (const [name, { option }] of Object.entries(filter.members))
    command.option(option.flags, otherHelp[name] ?? option.help);
  return command;
}

/** @throws HoldfastError `USAGE` */
export function readFilter(
  { members, instants, schema }: DeclaredFilter,
  options: FilterOptions,
): FilterAt<object> {
  const given = Object.entries(members).flatMap(([name, { option }]) => {
    const text = textOf(option, options);
    return text === undefined ? [] : [{ name, option, text }];
  });
  const kinds = given.filter(({ name }) => !instants.includes(name));
  const parsed = schema.safeParse(Object.fromEntries(kinds.map(({ name, text }) => [name, text])));
  if (!parsed.success) {
    const [faulty] = parsed.error.issues[0]?.path ?? [];
    const found = kinds.find(({ name }) => name === faulty);
    throw usage(found === undefined ? "invalid filter" : faultOf(found));
  }
  const times = given.filter(({ name }) => instants.includes(name));
  const filterAt = (now: number) => ({
    ...parsed.data,
    ...Object.fromEntries(
      times.map(({ name, option, text }) => [name, readInstant(nameOf(option), text, now)]),
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
  if (isNarrow(filter) === (all === undefined)) return;
  throw usage(`${command}: expected ${isNarrow(filter) ? "--all without a filter" : otherwise}`);
}

/** Without dashes. */
function nameOf({ flags }: FilterOption): string {
  return new Option(flags).name();
}

function textOf({ flags }: FilterOption, options: FilterOptions): string | undefined {
  return options[new Option(flags).attributeName()] as string | undefined;
}

function faultOf({ option, text }: { readonly option: FilterOption; readonly text: string }) {
  return `--${nameOf(option)}: expected ${option.expected}, got "${text}"`;
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

import type { Command } from "commander";
import type { DoubtFilter } from "../../desk/doubts/doubts-many.ts";
import { readInstant } from "./instant-option.ts";

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

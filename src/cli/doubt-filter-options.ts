import type { Command } from "commander";
import { HoldfastError } from "../errors/holdfast-error.ts";
import type { DoubtFilter } from "../operate/doubts-many.ts";

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
    .option("--since <instant>", "only doubts that began at or after this, e.g. 2026-12-01T09:00:00Z")
    .option("--until <instant>", "only doubts that began before this")
    .option("--reason <text>", "only doubts whose reason contains this text");
}

/** @throws HoldfastError `USAGE` */
export function doubtFilterOf(options: DoubtFilterOptions): DoubtFilter {
  const { type, effect, worker, since, until, reason: reasonText } = options;
  return { type, effect, worker, reasonText, since: instant("since", since), until: instant("until", until) };
}

function instant(option: string, text: string | undefined): number | undefined {
  const at = text === undefined ? undefined : Date.parse(text);
  if (at === undefined || !Number.isNaN(at)) return at;
  throw new HoldfastError(
    "USAGE",
    `--${option}: expected an instant such as 2026-12-01T09:00:00Z, got "${text}"`,
  );
}

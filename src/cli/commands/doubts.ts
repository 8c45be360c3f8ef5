import type { Command } from "commander";
import type { ResolvedJob } from "../../effect/resolve-doubt.ts";
import { HoldfastError } from "../../errors/holdfast-error.ts";
import type { Doubt } from "../../operate/doubts.ts";
import { withOperator } from "../connections.ts";
import { print, printHint } from "../output.ts";
import { addShowOptions, type ShowOptions, show } from "../show.ts";
import { tableLines } from "../table.ts";
import type { Lines } from "../text.ts";
import { username } from "../username.ts";

interface ResolveOptions {
  readonly as: string;
  readonly evidence: string;
  readonly result?: string;
}

const LISTED_MAX = 1_000;

/** `holdfast doubts`. */
export function addDoubtsCommands(program: Command): void {
  const doubts = program.command("doubts").description("list and resolve side effects in doubt");
  addShowOptions(doubts.command("list"))
    .description("list side effects that may or may not have happened, oldest first")
    .action(list);
  doubts
    .command("resolve")
    .description("resolve one, so that its job continues")
    .argument("<id>", "the job's id")
    .argument("<effect>", "the effect, as the list names it")
    .requiredOption(
      "--as <done|not-done>",
      "done: it happened, and is not run again; not-done: it did not happen, and may run",
    )
    .requiredOption("--evidence <text>", "how you know; kept in the audit log")
    .option("--result <json>", "what the effect would have returned; only with --as done")
    .action(resolve);
}

async function list(options: ShowOptions): Promise<void> {
  await withOperator(async (operator) => {
    const read = () => operator.doubts(0, LISTED_MAX);
    const [first] = await show({ read, describe, json: (doubts) => doubts }, options);
    if (first !== undefined)
      printHint(
        `to resolve one: holdfast doubts resolve ${first.jobId} ${first.effect} --as done|not-done --evidence "…"`,
      );
  });
}

function describe(doubts: readonly Doubt[]): Lines {
  if (doubts.length === 0) return "nothing is in doubt";
  const rows = doubts.map(({ jobId, effect, since, reason, report }) => [
    jobId,
    effect,
    since,
    reason + (report === null ? "" : ` (its worker reported ${report}, too late)`),
  ]);
  return tableLines(["job", "effect", { heading: "since", leaves: 1 }, "why"], rows);
}

async function resolve(id: string, effect: string, { as, evidence, result }: ResolveOptions): Promise<void> {
  if (as !== "done" && as !== "not-done")
    throw new HoldfastError("USAGE", `--as: expected done or not-done, got "${as}"`);
  if (evidence.trim() === "") throw new HoldfastError("USAGE", "--evidence: expected a text");
  const json = result === undefined ? undefined : compactJson(result);
  const resolution = { as, evidence, result: json, by: username() } as const;
  const job = await withOperator((operator) => operator.resolve(id, effect, resolution));
  print(`${id} ${effect}: ${as}; ${fates[job]}`);
}

const fates: Readonly<Record<ResolvedJob, string>> = {
  retried: "the job continues",
  running: "the job continues",
  "in-doubt": "another effect of the job is in doubt: it continues once that is resolved",
  cancelled: "the job stays cancelled",
  completed: "the job had completed",
  gone: "the retention has removed the job, so nothing continues",
};

function compactJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text));
  } catch (cause) {
    throw new HoldfastError("USAGE", "--result: expected JSON", { cause });
  }
}

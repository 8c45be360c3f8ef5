import { createInterface } from "node:readline/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { exitCode, usage } from "../exit-code.ts";
import { interruptible } from "../system/signals.ts";
import { type Json, print, printError, printJson, printNote, textFor } from "./output.ts";
import type { Lines } from "./text.ts";

export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Asks on the terminal. Anything but yes, including the end of the input, is a no. */
async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const closed = new Promise<string>((resolve) => terminal.once("close", () => resolve("")));
  try {
    const answer = await Promise.race([terminal.question(`${question} (y/N) `), closed]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}

/** The options of a command that acts on many. */
export interface ConsentOptions extends Json {
  readonly dryRun?: true;
  readonly yes?: true;
}

/** @param command what the error begins with @throws HoldfastError `USAGE` where nobody can be asked */
export function requireConsent({ dryRun, yes }: ConsentOptions, command = ""): void {
  if (!dryRun && !yes && !canAsk())
    throw usage(`${command}expected --yes, or --dry-run: there is no terminal to ask on`);
}

interface Proposal {
  readonly lines: Lines;
  /** The same as JSON. */
  readonly value: object;
  /** Whether there is nothing to do. */
  readonly isEmpty: boolean;
  readonly question: string;
}

/**
 * Shows what would be done, and asks. With `--json` standard output is for the outcome, and only a person who is asked needs the preview.
 *
 * @returns false where the command ends here: then the preview is its outcome
 */
export async function mayAct(
  { dryRun, yes, json }: ConsentOptions,
  { lines, value, isEmpty, question }: Proposal,
): Promise<boolean> {
  const isLast = dryRun === true || isEmpty;
  if (!json) print(lines);
  else if (isLast) printJson(value);
  else if (!yes) printError(textFor(lines).trimEnd());
  return !isLast && (yes === true || (await isConfirmed(question, "nothing was changed")));
}

/** Asks. After a no, the command has failed. @param otherwise what it says then */
export async function isConfirmed(question: string, otherwise: string): Promise<boolean> {
  if (await confirm(question)) return true;
  printError(otherwise);
  process.exitCode = exitCode.failed;
  return false;
}

/** As the console keeps an answer. */
const HELD_SECONDS = 5;

/** Waits where a person looks on, so that Ctrl-C can undo what nothing undoes later. @param what will be done then */
export async function letUndo({ now }: { readonly now?: true }, what: string): Promise<void> {
  if (now || !canAsk()) return;
  const hold = async () => {
    printNote(`${what} in ${HELD_SECONDS} s: Ctrl-C undoes it, --now does not wait`);
    await sleep(HELD_SECONDS * 1_000);
  };
  await interruptible(hold, () => "undone: nothing was changed");
}

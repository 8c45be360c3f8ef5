import { createInterface } from "node:readline/promises";
import { print, printError, printJson, textFor } from "./output.ts";
import type { Lines } from "./text.ts";

/** Whether this process has a terminal to ask on. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Asks on the terminal. Anything but yes, including the end of the input, is a no. */
export async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const closed = new Promise<string>((resolve) => terminal.once("close", () => resolve("")));
  try {
    const answer = await Promise.race([terminal.question(`${question} (y/N) `), closed]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}

interface Preview {
  readonly lines: Lines;
  /** The same as JSON. */
  readonly value: object;
  /** Whether the command ends here: then this is its outcome. */
  readonly isLast: boolean;
}

/** Shows what would be done. With `--json` standard output is for the outcome, and only a person who is asked needs the preview. */
export function showPreview(
  { json, yes }: { readonly json?: true | undefined; readonly yes?: true | undefined },
  { lines, value, isLast }: Preview,
): void {
  if (!json) print(lines);
  else if (isLast) printJson(value);
  else if (!yes) printError(textFor(lines).trimEnd());
}

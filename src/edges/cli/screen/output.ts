import { once } from "node:events";
import { exitCode } from "../exit-code.ts";
import { screen } from "./screen.ts";
import { type Lines, linesOf, printable, rendered } from "./text.ts";

// All output of commands goes through here: texts from outside may contain control characters, which a terminal would obey.

let goesOn = false;

/**
 * Ends the command when its output is lost: quietly if the reader is gone, as after `| head`, else with one line.
 *
 * A command that runs until it is stopped first stops what it has started.
 */
export function endOnLostOutput(): void {
  let isLost = false;
  goesOn = false;
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (isLost) return;
    isLost = true;
    if (error.code !== "EPIPE") {
      if (!goesOn) process.exitCode = exitCode.failed;
      printError(`The output cannot be written: ${error.message}`);
    }
    if (goesOn) return;
    if (process.listenerCount("SIGTERM") > 0) process.kill(process.pid, "SIGTERM");
    else process.exit();
  });
  // The exit code alone then says how the command ended.
  process.stderr.on("error", () => {});
}

/** From now on this process does something that must not end in the middle, though nobody reads its output. */
export function goOnWithoutOutput(): void {
  goesOn = true;
}

/** Resolves when all output is written, or lost. */
export async function untilWritten(): Promise<void> {
  await new Promise((resolve) => process.stdout.write("", resolve));
}

export function print(lines: Lines): void {
  process.stdout.write(textFor(lines));
}

export function printError(lines: string): void {
  process.stderr.write(`${lines.split("\n").map(printable).join("\n")}\n`);
}

/** Writes a part of a file to standard output, and waits until it is read: the file may be larger than the memory. A terminal gets no control characters. */
export async function write(text: string): Promise<void> {
  const shown = screen().isTerminal ? text.split(/\r?\n/).map(printable).join("\n") : text;
  if (!process.stdout.write(shown)) await once(process.stdout, "drain");
}

/** Prints what to do next, for people only. */
export function printHint(line: string): void {
  if (!screen().isTerminal || process.stderr.isTTY !== true) return;
  process.stderr.write(`${rendered([{ text: line, tone: "faint" }], screen())}\n`);
}

/** Says beside the output what it lacks. */
export function printNote(line: string): void {
  process.stderr.write(`${rendered([{ text: line, tone: "faint" }], screen())}\n`);
}

/** Prints each value as JSON, one a line. */
export function printJson(...values: readonly unknown[]): void {
  process.stdout.write(values.map((value) => `${jsonLine(value)}\n`).join(""));
}

/** What `--json` gives. */
export interface Json {
  readonly json?: true | undefined;
}

/** Prints an outcome: as JSON, or for people. */
export function printOutcome(json: true | undefined, value: unknown, lines: Lines): void {
  if (json) printJson(value);
  else print(lines);
}

export function textFor(lines: Lines): string {
  const on = screen();
  return `${linesOf(lines)
    .map((line) => rendered(line, on).trimEnd())
    .join("\n")}\n`;
}

/** Also escapes the control characters above U+001F, which JSON does not. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, escapeUnits);
}

function escapeUnits(character: string): string {
  return Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
  ).join("");
}

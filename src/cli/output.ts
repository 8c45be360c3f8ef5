import { once } from "node:events";
import { printable } from "./printable.ts";
import { screen } from "./screen.ts";
import { type Lines, linesOf, rendered } from "./text.ts";

// All output of commands goes through here: texts from outside may contain control characters, which a terminal would obey.

/** Prints lines for people on standard output. */
export function print(lines: Lines): void {
  process.stdout.write(textFor(lines));
}

/** Prints lines for people on standard error. */
export function printError(lines: string): void {
  process.stderr.write(`${lines.split("\n").map(printable).join("\n")}\n`);
}

/** Writes a part of a file to standard output as it is, and waits until it is read: the file may be larger than the memory. */
export async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}

/** Prints what to do next, where a person reads: programs know. */
export function printHint(line: string): void {
  if (!screen().isTerminal || process.stderr.isTTY !== true) return;
  process.stderr.write(`${rendered([{ text: line, tone: "faint" }], screen())}\n`);
}

/** Prints each value as JSON, one a line. */
export function printJson(...values: readonly unknown[]): void {
  process.stdout.write(values.map((value) => `${jsonLine(value)}\n`).join(""));
}

/** Lines as standard output can show them. */
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

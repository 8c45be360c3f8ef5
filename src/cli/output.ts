import { printable } from "./table.ts";

// All that commands print goes through here: what jobs, errors and configuration hold comes from outside, and a terminal
// carries out the control characters in it.

/** Prints lines for people on standard output. */
export function print(lines: string): void {
  process.stdout.write(`${printableLines(lines)}\n`);
}

/** Prints lines for people on standard error. */
export function printError(lines: string): void {
  process.stderr.write(`${printableLines(lines)}\n`);
}

/** Prints each value as JSON, one a line. */
export function printJson(...values: readonly unknown[]): void {
  process.stdout.write(values.map((value) => `${jsonLine(value)}\n`).join(""));
}

function printableLines(lines: string): string {
  return lines.split("\n").map(printable).join("\n");
}

/** JSON escapes of the control characters only those below U+0020; a terminal heeds others as well. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, escapeUnits);
}

function escapeUnits(character: string): string {
  return Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`,
  ).join("");
}

import { printable } from "./table.ts";

// All output of commands goes through here: texts from outside may contain control characters, which a terminal would obey.

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

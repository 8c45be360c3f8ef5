import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { type ExportFormat, exportFormats } from "../../desk/jobs/export-format.ts";
import { malformed, parseJson } from "../../platform/lib/parse-json.ts";
import { usage } from "./exit-code.ts";

/** Names the option in the error; the limits are the schema's. @throws HoldfastError `USAGE` */
export function parseNumber(option: string, text: string): number {
  const number = Number(text);
  if (text.trim() !== "" && Number.isFinite(number)) return number;
  throw usage(`${option}: expected a number, got "${text}"`);
}

/** A whole number from 1. @param expected for the error @throws HoldfastError `USAGE` */
export function parseWhole(
  option: string,
  text: string,
  expected: string,
  max = Number.MAX_SAFE_INTEGER,
): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 1 && number <= max) return number;
  throw usage(`${option}: expected ${expected}, got "${text}"`);
}

/** @throws HoldfastError `USAGE` */
export function requireText(option: string, text: string): void {
  if (text.trim() === "") throw usage(`${option}: expected a text`);
}

/** Reads a value, `@` and a file with it, or `-` for standard input. @throws HoldfastError `USAGE` */
export async function readSource(option: string, source: string): Promise<string> {
  if (source === "-") return await text(process.stdin);
  if (!source.startsWith("@")) return source;
  try {
    return readFileSync(source.slice(1), "utf8");
  } catch (cause) {
    throw usage(`${option}: cannot read ${source.slice(1)}`, { cause });
  }
}

/** @throws HoldfastError `USAGE` */
export function readJson(option: string, source: string): unknown {
  try {
    const { value, issues } = parseJson(source);
    if (issues.length > 0) throw malformed(issues);
    return value;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : "unreadable";
    throw usage(`${option}: expected JSON (${reason})`, { cause });
  }
}

/** @throws HoldfastError `USAGE` */
export function readFormat(text: string): ExportFormat {
  const format = exportFormats.find((known) => known === text);
  if (format !== undefined) return format;
  throw usage(`--format: expected one of ${exportFormats.join(", ")}, got "${text}"`);
}

import type { Offence } from "../errors/holdfast-error.ts";

/** JSON deeper than this is refused: `JSON.stringify` overflows the stack at a few thousand levels. */
const DEPTH_MAX = 64;

export type CanonicalJson =
  | { readonly kind: "json"; readonly text: string }
  | { readonly kind: "refused"; readonly offences: readonly Offence[] };

/**
 * Writes a value as JSON with its members sorted, so that equal content gives equal text (RFC 8785's order).
 *
 * Refused, with a pointer to each place: what JSON cannot hold (functions, dates, infinite numbers, undefined in a
 * list), strings that are not well-formed Unicode, and nesting deeper than 64.
 */
export function canonicalJson(value: unknown, pointer = ""): CanonicalJson {
  const offences: Offence[] = [];
  const text = write(value, pointer, 0, offences);
  return offences.length === 0 ? { kind: "json", text } : { kind: "refused", offences };
}

/** A path as RFC 6901 JSON pointer. */
export function jsonPointer(path: readonly PropertyKey[]): string {
  return path.map((step) => `/${escapeStep(String(step))}`).join("");
}

function write(value: unknown, pointer: string, depth: number, offences: Offence[]): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "string") return writeString(value, pointer, offences);
  if (typeof value === "number" && Number.isFinite(value)) return JSON.stringify(value);
  if (typeof value !== "object" || !isPlain(value)) return refuse(pointer, "expected a JSON value", offences);
  if (depth >= DEPTH_MAX) return refuse(pointer, `expected at most ${DEPTH_MAX} levels`, offences);
  if (Array.isArray(value)) {
    return `[${value.map((item, index) => write(item, `${pointer}/${index}`, depth + 1, offences)).join(",")}]`;
  }
  return writeObject(value as Record<string, unknown>, pointer, depth, offences);
}

function writeObject(
  object: Record<string, unknown>,
  pointer: string,
  depth: number,
  offences: Offence[],
): string {
  const members: string[] = [];
  for (const name of Object.keys(object).sort()) {
    const value = object[name];
    if (value === undefined) continue;
    const place = `${pointer}/${escapeStep(name)}`;
    members.push(`${writeString(name, place, offences)}:${write(value, place, depth + 1, offences)}`);
  }
  return `{${members.join(",")}}`;
}

function writeString(text: string, pointer: string, offences: Offence[]): string {
  return text.isWellFormed()
    ? JSON.stringify(text)
    : refuse(pointer, "expected well-formed Unicode", offences);
}

function refuse(pointer: string, message: string, offences: Offence[]): string {
  offences.push({ pointer: pointer.toWellFormed(), message });
  return "null";
}

function isPlain(value: object): boolean {
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function escapeStep(step: string): string {
  return step.replaceAll("~", "~0").replaceAll("/", "~1");
}

import type { Issue } from "../errors/holdfast-error.ts";

/** JSON deeper than this is refused: `JSON.stringify` overflows the stack at a few thousand levels. */
export const DEPTH_MAX = 64;

/** Ten thousand issues are one mistake, and no request may cost memory at will. */
export const ISSUES_MAX = 50;

/** Nobody means well with a member of this name: code that copies objects may change a prototype by it. */
export function isPoisonous(name: string): boolean {
  return name === "__proto__" || name === "constructor";
}

export const POISONOUS = "expected no member of this name";

/** A pointer can be as long as the body. */
const POINTER_MAX = 500;

export type CanonicalJson =
  | { readonly kind: "json"; readonly text: string }
  | { readonly kind: "refused"; readonly issues: readonly Issue[] };

/**
 * Writes a value as JSON with sorted members (RFC 8785's order), so that equal content is equal text.
 *
 * Refuses, with a pointer to each: what JSON cannot hold (functions, dates, infinite numbers, undefined in a list), strings that are
 * not well-formed Unicode, members whose getters throw, the names `__proto__` and `constructor`, and nesting deeper than 64.
 */
export function canonicalJson(value: unknown): CanonicalJson {
  const walk: Walk = { path: [], issues: [] };
  const text = writeReadable(value, walk);
  return walk.issues.length === 0 ? { kind: "json", text } : { kind: "refused", issues: walk.issues };
}

/** A path as RFC 6901 JSON pointer, well-formed. After 500 characters it is cut, and ends with `…`. */
export function jsonPointer(path: readonly PropertyKey[]): string {
  let pointer = "";
  for (const step of path) {
    pointer += `/${escapeStep(String(step).slice(0, POINTER_MAX + 1))}`;
    if (pointer.length > POINTER_MAX) return `${pointer.slice(0, POINTER_MAX).toWellFormed()}…`;
  }
  return pointer.toWellFormed();
}

/** The writer's position, and the issues so far. The path becomes a pointer only for an issue. */
interface Walk {
  readonly path: (string | number)[];
  readonly issues: Issue[];
}

function writeReadable(value: unknown, walk: Walk): string {
  try {
    return write(value, walk);
  } catch {
    return refuse("expected a value that can be read", walk);
  }
}

function write(value: unknown, walk: Walk): string {
  if (typeof value === "string") return writeString(value, walk);
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number" && Number.isFinite(value)) return String(Object.is(value, -0) ? 0 : value);
  if (typeof value !== "object" || !isPlain(value)) return refuse("expected a JSON value", walk);
  if (walk.path.length >= DEPTH_MAX) return refuse(`expected at most ${DEPTH_MAX} levels`, walk);
  return Array.isArray(value) ? writeArray(value, walk) : writeObject(value as Record<string, unknown>, walk);
}

function writeArray(items: readonly unknown[], walk: Walk): string {
  let text = "";
  for (let index = 0; index < items.length; index++) {
    walk.path.push(index);
    text += `${index === 0 ? "" : ","}${write(items[index], walk)}`;
    walk.path.pop();
  }
  return `[${text}]`;
}

function writeObject(object: Readonly<Record<string, unknown>>, walk: Walk): string {
  let text = "";
  for (const name of Object.keys(object).sort()) {
    const value = object[name];
    if (value === undefined) continue;
    walk.path.push(name);
    if (isPoisonous(name)) refuse(POISONOUS, walk);
    text += `${text === "" ? "" : ","}${writeString(name, walk)}:${write(value, walk)}`;
    walk.path.pop();
  }
  return `{${text}}`;
}

/** Needs no escapes: most names and short texts. Testing is quicker than JSON.stringify. */
const PLAIN = /^[ !#-[\]-~]*$/;

function writeString(text: string, walk: Walk): string {
  if (PLAIN.test(text)) return `"${text}"`;
  return text.isWellFormed() ? JSON.stringify(text) : refuse("expected well-formed Unicode", walk);
}

function refuse(message: string, { path, issues }: Walk): string {
  if (issues.length < ISSUES_MAX) issues.push({ pointer: jsonPointer(path), message });
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

import { isDeepStrictEqual } from "node:util";

/** A part of a value: objects may lack members, at any depth; lists are whole. */
export type PartOf<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [Name in keyof T]?: PartOf<T[Name]> }
    : T;

/** Whether a value has everything that `part` has. */
export function matches(value: unknown, part: unknown): boolean {
  if (!isObject(part) || Array.isArray(part)) return isDeepStrictEqual(value, part);
  if (!isObject(value)) return false;
  return Object.entries(part).every(
    ([name, wanted]) => Object.hasOwn(value, name) && matches(value[name], wanted),
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

import { HoldfastError } from "./holdfast-error.ts";

/** An argument that is an object: JavaScript can give anything. @throws HoldfastError `INVALID_REQUEST` that names the place */
export function givenObject<T extends object>(value: T, pointer: string): T {
  return typeof value === "object" && value !== null ? value : refuse(value, pointer, "an object");
}

/** The same of a list. */
export function givenList<T>(value: readonly T[], pointer: string): readonly T[] {
  return Array.isArray(value) ? value : refuse(value, pointer, "a list");
}

/** The same of how many at most. */
export function givenCount(value: number, pointer: string): number {
  return Number.isSafeInteger(value) && value >= 0 ? value : refuse(value, pointer, "a whole number from 0");
}

function refuse(value: unknown, pointer: string, expected: string): never {
  const found = value === null ? "null" : typeof value === "object" ? "an object" : `a ${typeof value}`;
  const message = `expected ${expected}, got ${value === undefined ? "nothing" : found}`;
  throw new HoldfastError("INVALID_REQUEST", `${pointer}: ${message}`, { issues: [{ pointer, message }] });
}

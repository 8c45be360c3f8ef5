import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { textOf } from "../../platform/lib/thrown.ts";

const kinds = {
  "a guard": (value: unknown) => isObject(value) && typeof value.once === "function",
  "an effect of defineEffect": (value: unknown) => isObject(value) && isObject(value.declaration),
  "an object": isObject,
  "a function": (value: unknown) => typeof value === "function",
  "a number": (value: unknown) => typeof value === "number",
  "a text": (value: unknown) => typeof value === "string",
  "a text that is not empty": (value: unknown) => typeof value === "string" && value !== "",
  "an AbortSignal": (value: unknown) => value instanceof AbortSignal,
} as const;

/**
 * Refuses what untyped code may give, before anything begins: later the same fault would leave a doubt, or an effect without a guard.
 *
 * @param place the function, and which of its arguments
 * @throws HoldfastError `USAGE`
 */
export function expectUse<Value>(
  place: string,
  value: Value,
  expected: keyof typeof kinds,
): NonNullable<Value> {
  if (value == null || !kinds[expected](value))
    throw new HoldfastError("USAGE", `${place}: expected ${expected}, got ${textOf(value)}`);
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

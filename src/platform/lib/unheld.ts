/**
 * For `JSON.stringify`: refuses what JSON would write as something else. Members that are functions or symbols are left out, as JSON does.
 *
 * @throws TypeError
 */
export function refuseUnheld(name: string, value: unknown): unknown {
  if (!isUnheld(name, value)) return value;
  const what = typeof value === "number" ? String(value) : Object.prototype.toString.call(value).slice(8, -1);
  throw new TypeError(`JSON cannot hold ${what}${name === "" ? "" : `, in "${name}"`}`);
}

function isUnheld(name: string, value: unknown): boolean {
  if (typeof value === "number") return !Number.isFinite(value);
  if (typeof value === "function" || typeof value === "symbol") return name === "";
  return value instanceof Map || value instanceof Set;
}

/**
 * Like `JSON.stringify`, but refuses what JSON would write as something else. Members that are functions or symbols are left out, as JSON does.
 *
 * @returns undefined for what JSON leaves out
 * @throws TypeError
 */
export function heldJson(value: unknown): string | undefined {
  const copy = plainCopy(value, DEPTH_MAX);
  return copy === NOT_PLAIN ? JSON.stringify(value, refuseUnheld) : JSON.stringify(copy);
}

function refuseUnheld(name: string, value: unknown): unknown {
  if (!isUnheld(name, value)) return value;
  const what = typeof value === "number" ? String(value) : Object.prototype.toString.call(value).slice(8, -1);
  throw new TypeError(`JSON cannot hold ${what}${name === "" ? "" : `, in "${name}"`}`);
}

function isUnheld(name: string, value: unknown): boolean {
  if (typeof value === "number") return !Number.isFinite(value);
  if (typeof value === "function" || typeof value === "symbol") return name === "";
  return value instanceof Map || value instanceof Set;
}

const NOT_PLAIN = Symbol("not plain");
const DEPTH_MAX = 8;

/**
 * Copies what JSON holds as it is, so that nobody has to be asked about each member: that takes twice as long (row `work-effect`). Each
 * member is read once.
 *
 * @returns NOT_PLAIN for everything else
 */
function plainCopy(value: unknown, depth: number): unknown {
  if (typeof value === "number") return Number.isFinite(value) ? value : NOT_PLAIN;
  if (typeof value === "string" || typeof value === "boolean" || value === null) return value;
  return typeof value === "object" && depth > 0 ? copiedMembers(value, depth) : NOT_PLAIN;
}

function copiedMembers(value: object, depth: number): unknown {
  if (Object.getPrototypeOf(value) !== Object.prototype) return NOT_PLAIN;
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    if (name === "toJSON" || name === "__proto__") return NOT_PLAIN;
    const member = (value as Readonly<Record<string, unknown>>)[name];
    if (member === undefined) continue;
    const copied = plainCopy(member, depth - 1);
    if (copied === NOT_PLAIN) return NOT_PLAIN;
    copy[name] = copied;
  }
  return copy;
}

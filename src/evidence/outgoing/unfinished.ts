import { types } from "node:util";
import { InDoubtError } from "../attempt-errors.ts";

/**
 * Refuses a result with something in it that nothing has waited for: a list of promises, or of functions, a query that a library sends only
 * when it is asked, an iterator, a stream that nobody has read. What it stands for may never happen, or happen later. Promises have ended by
 * then: until they have, the run is not over.
 *
 * @returns undefined, at once, where there is nothing of the kind
 */
export function refuseUnfinished(result: unknown): Promise<never> | undefined {
  const found = typeof result === "function" ? [result] : isObject(result) ? unfinishedIn(result) : [];
  return found.length === 0 ? undefined : refuse(found);
}

async function refuse(found: readonly unknown[]): Promise<never> {
  // Another thenable may begin only when it is asked.
  await Promise.allSettled(found.filter((one) => types.isPromise(one)));
  throw new InDoubtError(
    "its function returned a promise, an iterator, a stream or a function inside of its result, for which nothing waits",
  );
}

const OBJECTS_MAX = 10_000;

function unfinishedIn(result: object): object[] {
  const found: object[] = itemsOf(result).filter((one) => typeof one === "function");
  // A set is walked to its end, with what is added meanwhile.
  const objects = new Set([result]);
  for (const value of objects) {
    if (attempt(() => isUnfinished(value))) found.push(value);
    else
      for (const member of attempt(() => membersOf(value)) ?? [])
        if (objects.size < OBJECTS_MAX) objects.add(member);
  }
  return found;
}

function isUnfinished(value: object): boolean {
  if (types.isPromise(value) || hasMethod(value, "then")) return true;
  if (hasMethod(value, Symbol.asyncIterator)) return !isRead(value);
  return hasMethod(value, "next") && Symbol.iterator in value;
}

function hasMethod(value: object, name: string | symbol): boolean {
  return typeof Reflect.get(value, name) === "function";
}

/** Whether it is a stream that somebody has read, or given up. */
function isRead(value: object): boolean {
  return ["readableEnded", "destroyed", "locked"].some((name) => Reflect.get(value, name) === true);
}

function itemsOf(value: object): unknown[] {
  if (Array.isArray(value) || value instanceof Set) return [...value];
  return value instanceof Map ? [...value.values()] : [];
}

function membersOf(value: object): object[] {
  const kind: unknown = Object.getPrototypeOf(value);
  if (kind === Object.prototype || kind === null) return Object.values(value).filter(isObject);
  if (Array.isArray(value) || value instanceof Set || value instanceof Map)
    return itemsOf(value).filter(isObject);
  // Objects of other classes have parts of their own, such as connections: only what JSON would write as `{}` is looked at.
  return hasMethod(value, "toJSON") ? [] : Object.values(value).filter((one) => types.isPromise(one));
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** Reading a member may run code of others. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

import { delayMsOf } from "../core/job/delay-ms.ts";
import { memberOf } from "./error-tree.ts";

const SECOND_MS = 1_000;

/** When an answer asks to be tried again (RFC 9110, 10.2.3), in milliseconds; undefined where it does not say, or not readably. */
export function retryAfterMs(headers: unknown, now = Date.now()): number | undefined {
  const exact = number(header(headers, "retry-after-ms"));
  if (exact !== undefined) return delayMsOf(exact);
  const text = header(headers, "retry-after");
  const seconds = number(text);
  if (seconds !== undefined) return delayMsOf(seconds * SECOND_MS);
  const at = /[a-z]{3}.*\d{4}/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : delayMsOf(at - now);
}

/** One header of a `Headers`, of an object like it, or of a plain object in any case; empty where it is absent. */
export function header(headers: unknown, name: string): string {
  const value = viaGet(headers, name) ?? memberOf(headers, ownName(headers, name));
  const first = Array.isArray(value) ? value[0] : value;
  return typeof first === "string" || typeof first === "number" ? String(first).trim() : "";
}

function viaGet(headers: unknown, name: string): unknown {
  const get = memberOf(headers, "get");
  try {
    return typeof get === "function" ? Reflect.apply(get, headers, [name]) : undefined;
  } catch {
    return undefined;
  }
}

function ownName(headers: unknown, name: string): string {
  try {
    return Object.keys(headers ?? {}).find((own) => own.toLowerCase() === name) ?? name;
  } catch {
    return name;
  }
}

function number(text: string): number | undefined {
  return /^\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : undefined;
}

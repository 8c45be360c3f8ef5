import { inspect, types } from "node:util";

const SHOWN_MAX = 500;
const OPTIONS = { depth: 2, breakLength: Number.POSITIVE_INFINITY, customInspect: false } as const;
/** Also as text inside a text, where line ends are escaped. */
const FRAMES = /(?:\n|\\n)\s*at (?:(?!\\n)[^\n'"`])*/g;

/** A value as one line of at most 500 characters, for messages that anybody may read: without the stacks of the errors in it. */
function shown(value: unknown): string {
  const text = inspect(value, OPTIONS)
    .replace(FRAMES, "")
    .replace(/\s*\n\s*/g, " ");
  return shortened(text, SHOWN_MAX);
}

/** At most so many characters, all of them whole, the last one an ellipsis where it was longer. */
export function shortened(text: string, max: number): string {
  return (text.length > max ? `${text.slice(0, max - 1)}…` : text).toWellFormed();
}

const FRAMES_MAX = 10;
const UNREADABLE = "something that cannot be shown";

/** A value as text. Avoids running its own code, and never throws. */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  return attempt(() => shown(value)) ?? UNREADABLE;
}

/** The message of anything thrown. Never throws. */
export function messageOf(thrown: unknown): string {
  if (typeof thrown === "string" && thrown !== "") return thrown;
  const message = attempt(() => (thrown as { message?: unknown }).message);
  if (typeof message === "string" && message !== "") return message;
  if (!isError(thrown)) return `A value was thrown that is no error: ${textOf(thrown)}`;
  const name = attempt(() => thrown.name);
  return `An error was thrown without a message: ${typeof name === "string" ? name : textOf(thrown)}`;
}

/** Runs foreign code. What it throws becomes an error whose message and stack are texts, safe to read. */
export async function foreign<T>(run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (thrown) {
    throw asError(thrown);
  }
}

/** @returns the same error with message and stack as texts; a new one for anything else */
export function asError(thrown: unknown): Error {
  if (!isError(thrown)) return new Error(messageOf(thrown));
  try {
    mend(thrown, "message", messageOf(thrown));
    mend(thrown, "stack", "");
    return thrown;
  } catch {
    return new Error(messageOf(thrown));
  }
}

/** Also a `DOMException`, which Node.js 20 counts as no error, and errors of another realm, as test runners have. */
function isError(value: unknown): value is Error {
  if (types.isNativeError(value)) return true;
  if (types.isProxy(value)) return false;
  const isInstance = () =>
    value instanceof Error || Object.prototype.toString.call(value) === "[object DOMException]";
  return attempt(isInstance) ?? false;
}

/** A thrown value's name, code and place for the log, without its text, which may hold personal data. */
export function placeOf(fault: unknown): Readonly<Record<string, unknown>> {
  if (!(fault instanceof Error)) return { fault: typeof fault };
  const code = "code" in fault ? { code: String(fault.code) } : {};
  const frames = (fault.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return { fault: fault.name, ...code, at: frames.slice(0, FRAMES_MAX).map((line) => line.trim()) };
}

const CAUSES_MAX = 5;
const TRACE_MAX = 4_000;
/** Of one error: more than can be shown. */
const STACK_MAX = 4 * TRACE_MAX;

/**
 * The stack of an error and those of its causes, at most 4,000 characters, without what is inside of a cause that is no error. Never throws.
 *
 * @param scrub removes secrets, before anything is cut: half a secret is not found
 */
export function traceOf(thrown: unknown, scrub = (text: string) => text): string {
  const stacks: string[] = [];
  let error: unknown = thrown;
  while (error !== undefined && stacks.length <= CAUSES_MAX) {
    stacks.push(stacks.length === 0 || isError(error) ? stackOf(error, scrub) : scrub(kindOf(error)));
    const failed = error;
    error = isError(failed) ? attempt(() => failed.cause) : undefined;
  }
  return shortened(stacks.join("\ncaused by: "), TRACE_MAX);
}

/** All lines of the message, and the first frames. */
function stackOf(thrown: unknown, scrub: (text: string) => string): string {
  const { stack, message } = asError(thrown);
  const lines = scrub(stack || message)
    .slice(0, STACK_MAX)
    .split("\n");
  const isFrame = (line: string) => /^\s+at /.test(line);
  const frames = lines.filter(isFrame).slice(0, FRAMES_MAX);
  return [...lines.filter((line) => !isFrame(line)), ...frames].join("\n");
}

/** Of an object only its kind: a `Response` has the headers of an answer. */
function kindOf(cause: unknown): string {
  if (typeof cause !== "object" && typeof cause !== "function") return textOf(cause);
  const kind = attempt(() => Object.prototype.toString.call(cause).slice("[object ".length, -1));
  return `a value that is no error: ${kind ?? UNREADABLE}`;
}

function mend(error: Error, name: "message" | "stack", text: string): void {
  const value = attempt(() => error[name]);
  if (typeof value === "string" && (value !== "" || name === "stack")) return;
  Object.defineProperty(error, name, { value: text, configurable: true, writable: true });
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

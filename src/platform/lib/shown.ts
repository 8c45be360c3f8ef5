import { inspect } from "node:util";

const SHOWN_MAX = 500;
const OPTIONS = { depth: 2, breakLength: Number.POSITIVE_INFINITY, customInspect: false } as const;
/** Also as text inside a text, where line ends are escaped. */
const FRAMES = /(?:\n|\\n)\s*at (?:(?!\\n)[^\n'"`])*/g;

/** A value as one line of at most 500 characters, for messages that anybody may read: without the stacks of the errors in it. */
export function shown(value: unknown): string {
  const text = inspect(value, OPTIONS)
    .replace(FRAMES, "")
    .replace(/\s*\n\s*/g, " ");
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX - 1)}…` : text;
}

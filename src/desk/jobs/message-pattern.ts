import { errorCodes } from "../../platform/errors/error-codes.ts";

const MESSAGE_MAX = 900;
const PATTERN_MAX = 200;

/** On bytes, as Redis has them. */
const steps: readonly (readonly [RegExp, string])[] = [
  [/[ \t\n\v\f\r]+/g, " "],
  [/^ /, ""],
  [/ $/, ""],
  // An apostrophe is no quote.
  [/([A-Za-z])'([A-Za-z])/g, "$1^$2"],
  [/(["'`]).*?\1/gs, "'#'"],
  [/(?<![A-Za-z])[A-Za-z]+:\/\/[^ "'`<>),\]]+/g, "#"],
  [/(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+/g, "#"],
  [/(?<!\w)[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}/g, "#"],
  [/(?<!\w)[0-9A-Fa-f]{8,}(?!\w)/g, "#"],
  [/(?<!\w)\w*[0-9]\w*/g, "#"],
  // What is left of a time, an address, a decimal number or a list of numbers.
  [/#[.,:/+-]+ ?(?=#)/g, ""],
  [/\^/g, "'"],
];

/**
 * What stays the same in the messages of one kind of failure: without numbers, ids, hex, UUIDs, times, addresses and quoted parts. A
 * test compares it with message-pattern.lua.
 *
 * @example messagePattern("connect ECONNREFUSED 10.0.0.7:5432") // "connect ECONNREFUSED #"
 */
export function messagePattern(message: string): string {
  const bytes = cut(Buffer.from(message), MESSAGE_MAX).toString("latin1");
  const text = steps.reduce((rest, [part, by]) => rest.replace(part, by), bytes);
  return cut(Buffer.from(text, "latin1"), PATTERN_MAX).toString() || "(no message)";
}

/** Leaves no part of a character at the end. */
function cut(bytes: Buffer, most: number): Buffer {
  if (bytes.length <= most) return bytes;
  let end = most;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end);
}

/** All codes, each between spaces, for scripts. */
export const codesForLua = ` ${Object.keys(errorCodes).join(" ")} `;

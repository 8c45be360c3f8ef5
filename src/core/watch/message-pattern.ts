import { errorCodes } from "../../platform/errors/error-codes.ts";

const MESSAGE_MAX = 900;
const PATTERN_MAX = 200;

type Step = readonly [part: RegExp, by: string] | readonly [part: RegExp, by: (...found: string[]) => string];

/** What tells two bugs apart stays: its digits and quotes are hidden from the steps after it, as bytes that UTF-8 never has. */
const QUOTE = "\xff";

function hideDigits(text: string): string {
  return text.replace(/[0-9]/g, (digit) => String.fromCharCode(0xf5 + Number(digit)));
}

/** On bytes, as Redis has them. */
const steps: readonly Step[] = [
  [/[ \t\n\v\f\r]+/g, " "],
  [/^ /, ""],
  [/ $/, ""],
  // An apostrophe is no quote.
  [/([A-Za-z])'([A-Za-z])/g, "$1^$2"],
  // The name of a constraint, a column or a property is code, not data.
  [/([rs]e[at][dt]ing )'([A-Za-z_$]+)'/g, `$1${QUOTE}$2${QUOTE}`],
  [
    /(["'`])([A-Za-z_$]+)\1/g,
    (all, _, name = "") => (/_|[a-z][A-Z]/.test(name) ? `${QUOTE}${name}${QUOTE}` : all),
  ],
  [/(["'`]).*?\1/gs, "'#'"],
  [/(?<![A-Za-z])[A-Za-z]+:\/\/[^ "'`<>),\]]+/g, "#"],
  [/(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+/g, "#"],
  [/(?<!\w)[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}/g, "#"],
  // Codes of errors, such as ORA-00001: and (P2002), and statuses.
  [/^[A-Z]{1,5}-?[0-9]{3,5}:/, hideDigits],
  [/^[A-Z]{1,5}[0-9]{3,5} /, hideDigits],
  [/[([][A-Z]{1,5}-?[0-9]{3,5}[)\]]/g, hideDigits],
  [/[Ss]tatus[ :=]+[1-5][0-9][0-9](?!\w)/g, hideDigits],
  [/[Cc]ode[ :=]+[1-5][0-9][0-9](?!\w)/g, hideDigits],
  [/HTTP[ :=]+[1-5][0-9][0-9](?!\w)/g, hideDigits],
  [/(?<!\w)[0-9A-Fa-f]{8,}(?!\w)/g, "#"],
  // A prefix says what an id is of.
  [/(?<!\w)([A-Za-z]+_)[0-9A-Za-z]*[0-9]\w*/g, "$1#"],
  [/(?<!\w)\w*[0-9]\w*/g, "#"],
  // What is left of a time, an address, a decimal number or a list of numbers.
  [/#[.,:/+-]+ ?(?=#)/g, ""],
  [/[\xf5-\xfe]/g, (hidden) => String(hidden.charCodeAt(0) - 0xf5)],
  [/[\^\xff]/g, "'"],
];

/**
 * What stays the same in the messages of one kind of failure: without numbers, ids, hex, UUIDs, times, addresses and quoted parts; but
 * with codes of errors, statuses, quoted names of code, and the prefixes of ids. A test compares it with message-pattern.lua.
 *
 * @example messagePattern("connect ECONNREFUSED 10.0.0.7:5432") // "connect ECONNREFUSED #"
 */
export function messagePattern(message: string): string {
  const bytes = cut(Buffer.from(message), MESSAGE_MAX).toString("latin1");
  const text = steps.reduce((rest, [part, by]) => rest.replace(part, by as string), bytes);
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

import { type KeptMutant, withoutLine } from "../lib/kept.ts";
import named from "./breaks.json" with { type: "json" };
import { type Changes, reasonIn } from "./places.ts";
import reasons from "./reasons.json" with { type: "json" };

/** What once broke a promise, or what a mechanism is there for: by file, what the mended code became, and what was broken. */
export const breaks: Readonly<Record<string, Readonly<Record<string, string>>>> = named;

/** Changes that no promise depends on, and why; and those that no scenario notices, and the tests that try them. */
export const { equivalent, elsewhere }: Readonly<Record<"equivalent" | "elsewhere", Changes>> = reasons;

/** With what is known of those that no scenario notices. */
export function judged(row: KeptMutant): KeptMutant {
  if (row.outcome !== "survived" && row.outcome !== "unreached") return row;
  const change = withoutLine(row.change);
  const why = reasonIn(equivalent, row.file, change);
  if (why !== undefined) return { ...row, outcome: "equivalent", why };
  const missing = reasonIn(elsewhere, row.file, change);
  return missing === undefined ? row : { ...row, outcome: "unreached", why: missing };
}

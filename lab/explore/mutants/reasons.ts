import { type KeptMutant, withoutLine } from "../lib/kept.ts";
import named from "./breaks.json" with { type: "json" };
import reasons from "./reasons.json" with { type: "json" };

/** What once broke a promise, or what a mechanism is there for: by file, what the mended code became, and what was broken. */
export const breaks: Readonly<Record<string, Readonly<Record<string, string>>>> = named;

/** By reason and file, the changes. */
type Reasons = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/** Changes that no promise depends on, and why; and those of what no scenario has, and what tries it. */
const { equivalent, elsewhere }: { readonly equivalent: Reasons; readonly elsewhere: Reasons } = reasons;

/** With what is known of those that no scenario notices. */
export function judged(row: KeptMutant): KeptMutant {
  if (row.outcome !== "survived" && row.outcome !== "unreached") return row;
  const change = withoutLine(row.change);
  const reasonIn = (all: Reasons) =>
    Object.entries(all).find(([, files]) => files[row.file]?.includes(change) === true)?.[0];
  const [why, missing] = [reasonIn(equivalent), reasonIn(elsewhere)];
  if (row.outcome === "survived" && why !== undefined) return { ...row, outcome: "equivalent", why };
  return missing === undefined ? row : { ...row, outcome: "unreached", why: missing };
}

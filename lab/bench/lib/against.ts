import { withBuildOf } from "../../lib/installation.ts";
import type { Row, Side } from "./row.ts";

/** A lower ratio is more than noise. */
const REACH = 0.97;

/** The rows with a goal, with another checkout's build as the opponent. */
export function rowsAgainst(checkout: string, rows: readonly Row[]): Row[] {
  const others = new Map<Side, Side>();
  const otherOf = (side: Side): Side => {
    const known = others.get(side);
    if (known !== undefined) return known;
    const other = builtBy(checkout, side);
    others.set(side, other);
    return other;
  };
  return rows
    .filter(({ reach, growth }) => reach !== undefined && growth === undefined)
    .map((row) => ({
      ...row,
      reach: row.better === "higher" ? REACH : 1 / REACH,
      sides: { holdfast: row.sides.holdfast, opponent: otherOf(row.sides.holdfast) },
    }));
}

function builtBy(checkout: string, side: Side): Side {
  return {
    name: `${side.name}, other build`,
    open: () =>
      withBuildOf(checkout, async () => {
        const subject = await side.open();
        return { ...subject, sample: () => withBuildOf(checkout, () => subject.sample()) };
      }),
  };
}

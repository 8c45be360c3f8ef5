import type { Row, Sample, Side } from "./row.ts";

/** The samples of each side, one per round. */
export type Samples = ReadonlyMap<Side, readonly Sample[]>;

/** Receives each sample as it comes. */
export type Report = (round: number, side: Side, sample: Sample) => void;

/** Groups rows that share sides: a side is measured once per round for all of them. */
export function groupRows(rows: readonly Row[]): Row[][] {
  const groups: Row[][] = [];
  for (const row of rows) {
    const shared = groups.filter((group) => sidesOf(group).some((side) => sidesOf([row]).includes(side)));
    const rest = groups.filter((group) => !shared.includes(group));
    groups.splice(0, groups.length, ...rest, [...shared.flat(), row]);
  }
  return groups;
}

/** Measures all sides of some rows, with the order reversed every other round: A B, B A, A B, … */
export async function measure(rows: readonly Row[], rounds: number, report: Report): Promise<Samples> {
  const samples = new Map<Side, Sample[]>(sidesOf(rows).map((side) => [side, []]));
  const subjects = [];
  try {
    for (const side of samples.keys()) subjects.push({ side, subject: await side.open() });
    for (let round = 1; round <= rounds; round += 1) {
      for (const { side, subject } of round % 2 === 1 ? subjects : subjects.toReversed()) {
        const sample = await subject.sample().catch(failed);
        samples.get(side)?.push(sample);
        report(round, side, sample);
      }
    }
  } finally {
    for (const { subject } of subjects) await subject.close();
  }
  return samples;
}

/** A failed measurement shows nothing. */
function failed(error: unknown): Sample {
  return { measures: {}, invalid: [error instanceof Error ? error.message : String(error)] };
}

function sidesOf(rows: readonly Row[]): Side[] {
  return [...new Set(rows.flatMap(({ sides }) => [sides.holdfast, sides.opponent]))];
}

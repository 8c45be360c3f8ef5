import { type Spread, spread } from "../../lib/statistics.ts";
import type { Samples } from "./measure.ts";
import type { Latency, Row, Sample } from "./row.ts";
import type { Spent } from "./spending.ts";

/** The outcome of a row. */
export interface Result {
  readonly row: Row;
  readonly holdfast: Measured;
  readonly opponent: Measured;
  /** Holdfast's value to the opponent's: that of the medians, and the extremes of the rounds. */
  readonly ratio: Spread;
  readonly verdict: Verdict;
  /** Why the row shows nothing; empty unless the verdict is `invalid`. */
  readonly invalid: readonly string[];
}

export type Verdict = "reached" | "missed" | "for orientation" | "invalid";

export interface Measured {
  readonly name: string;
  readonly value: Spread;
  /** Of each round, in order. */
  readonly values: readonly number[];
  /** Medians over the rounds. */
  readonly latency?: Latency;
  /** Medians over the rounds. */
  readonly spent?: Spent;
}

export function resultOf(row: Row, samples: Samples): Result {
  const sides = [row.sides.holdfast, row.sides.opponent];
  const [ours = [], theirs = []] = sides.map((side) => samples.get(side) ?? []);
  const holdfast = measured(row.sides.holdfast.name, row.measure, ours);
  const opponent = measured(row.sides.opponent.name, row.measure, theirs);
  const byRound = spread(
    holdfast.values.map((value, round) => value / (opponent.values[round] ?? Number.NaN)),
  );
  const ratio = { ...byRound, median: holdfast.value.median / opponent.value.median };
  const invalid = [...new Set([...ours, ...theirs].flatMap((sample) => sample.invalid))];
  if (invalid.length === 0 && Number.isNaN(ratio.median))
    invalid.push(`nothing was measured: ${row.measure}`);
  return { row, holdfast, opponent, ratio, verdict: judge(row, ratio.median, invalid), invalid };
}

function judge({ reach, better }: Row, ratio: number, invalid: readonly string[]): Verdict {
  if (invalid.length > 0) return "invalid";
  if (reach === undefined) return "for orientation";
  const isReached = better === "higher" ? ratio >= reach : ratio <= reach;
  return isReached ? "reached" : "missed";
}

function measured(name: string, measure: string, samples: readonly Sample[]): Measured {
  const values = samples.map(({ measures }) => measures[measure] ?? Number.NaN);
  const latencies = samples.flatMap(({ latency }) => latency ?? []);
  const spent = medianSpent(samples.flatMap((sample) => sample.spent ?? []));
  const median = (share: keyof Latency) => spread(latencies.map((latency) => latency[share])).median;
  return {
    name,
    values,
    value: spread(values),
    ...(spent !== undefined && { spent }),
    ...(latencies.length > 0 && {
      latency: { p50: median("p50"), p90: median("p90"), p99: median("p99") },
    }),
  };
}

function medianSpent(all: readonly Spent[]): Spent | undefined {
  if (all.length === 0) return undefined;
  const median = (part: keyof Spent) => spread(all.map((spent) => spent[part])).median;
  return {
    process: median("process"),
    store: median("store"),
    commands: median("commands"),
    jobsPerTurn: median("jobsPerTurn"),
  };
}

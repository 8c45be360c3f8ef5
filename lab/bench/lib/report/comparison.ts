import type { Table } from "../../../../test/support/report.ts";
import { groupBy } from "../../../lib/group-by.ts";
import { goal, latency, number, ratio, withRange } from "../../../lib/numbers.ts";
import type { Result } from "../result.ts";

const MICROSECONDS = 1_000_000;

/** The comparison as a table: two lines per row, one for each side. @param nameOf names a row */
export function comparison(results: readonly Result[], nameOf: (result: Result) => string): Table {
  return {
    head: [
      "",
      "side",
      "median (min–max)",
      "unit",
      "p50 / p90 / p99 ms",
      "ratio (min–max)",
      "goal",
      "verdict",
    ],
    rows: results.flatMap((result) => {
      const { row, holdfast, opponent, verdict } = result;
      return [
        [
          nameOf(result),
          holdfast.name,
          withRange(holdfast.value),
          row.unit,
          latency(holdfast.latency),
          ratio(result.ratio),
          goal(row),
          verdict,
        ],
        ["", opponent.name, withRange(opponent.value), row.unit, latency(opponent.latency), "", "", ""],
      ];
    }),
  };
}

/** The comparison with one line per row. */
export function shortComparison(results: readonly Result[]): Table {
  return {
    head: ["", "Holdfast", "the other", "unit", "ratio (min–max)", "goal", "verdict"],
    rows: results.map((result) => {
      const { row, holdfast, opponent, verdict } = result;
      const sides = [number(holdfast.value.median), `${number(opponent.value.median)} (${opponent.name})`];
      return [row.title, ...sides, row.unit, ratio(result.ratio), goal(row), verdict];
    }),
  };
}

/** Where the time of one job or call went, for each side that counted it. */
export function spendingTable(results: readonly Result[]): Table {
  // The first row of a side has what was counted; guards also have one for later calls.
  const sides = groupBy(
    results.flatMap(({ holdfast, opponent }) => [holdfast, opponent]),
    ({ name }) => name,
  );
  return {
    head: ["", "µs a job or call", "process", "Redis", "of it commands", "a turn of Redis"],
    rows: [...sides.values()].flatMap(([side]) => {
      if (side?.spent === undefined) return [];
      const { name, value, spent } = side;
      const parts = [spent.process, spent.store, spent.commands, spent.jobsPerTurn];
      return [[name, number(MICROSECONDS / value.median), ...parts.map(number)]];
    }),
  };
}

/** Holdfast at each depth: the value, and its ratio to the shallowest. */
export function growthTable(results: readonly Result[]): Table {
  return {
    head: ["", "waiting jobs", "median (min–max)", "unit", "ratio (min–max)"],
    rows: growthSeries(results).flatMap(({ what, points }) => [
      ...points.slice(0, 1).map(({ row, opponent }) => {
        return [what, opponent.name, withRange(opponent.value), row.unit, ""];
      }),
      ...points.map(({ row, holdfast, ratio: toShallow }) => {
        return ["", holdfast.name, withRange(holdfast.value), row.unit, ratio(toShallow)];
      }),
    ]),
  };
}

/** Each series from its shallowest to its deepest point, in one line. */
export function growthSummary(results: readonly Result[]): Table {
  return {
    head: ["", "from", "to", "unit", "ratio (min–max)"],
    rows: growthSeries(results).flatMap(({ what, points }) =>
      points.slice(-1).map(({ row, holdfast, opponent, ratio: toShallow }) => {
        const sides = [opponent, holdfast].map(({ name, value }) => `${number(value.median)} (${name})`);
        return [what, ...sides, row.unit, ratio(toShallow)];
      }),
    ),
  };
}

export interface Series {
  readonly what: string;
  /** From shallow to deep. */
  readonly points: readonly Result[];
}

export function growthSeries(results: readonly Result[]): Series[] {
  const names = new Set(results.flatMap(({ row }) => row.growth?.what ?? []));
  return [...names].map((what) => ({
    what,
    points: results
      .filter(({ row }) => row.growth?.what === what)
      .sort((a, b) => (a.row.growth?.depth ?? 0) - (b.row.growth?.depth ?? 0)),
  }));
}

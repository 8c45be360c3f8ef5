import { spread } from "../../bench/lib/statistics.ts";
import type { Point, Series } from "./series.ts";

/** What became of one quantity in the second half of a run. */
export interface Trend {
  readonly series: Series;
  /** Its median in the first sixth, when it had hardly warmed up, and in the second half. */
  readonly early: number;
  readonly level: number;
  /** By how much it grew over the second half, by the fitted line; less than 0 where it shrank. */
  readonly growth: number;
  /** The most that counts as level. */
  readonly allowed: number;
  readonly isLevel: boolean;
}

/** What a fitted line may grow by over the second half, as a share of its level. */
export const GROWTH_MAX = 0.05;

/** Whether a quantity stays where it is, once it is there. */
export function trendOf(series: Series): Trend {
  const lastAt = series.points.at(-1)?.at ?? 0;
  const half = series.points.filter(({ at }) => at >= lastAt / 2);
  const level = medianOf(half);
  const growth = slopeOf(half) * (lastAt / 2);
  const allowed = Math.max(GROWTH_MAX * level, series.quantity.slack);
  const early = medianOf(series.points.filter(({ at }) => at <= lastAt / 6));
  return { series, early, level, growth, allowed, isLevel: growth <= allowed };
}

function medianOf(points: readonly Point[]): number {
  return spread(points.map(({ value }) => value)).median;
}

/**
 * The median of the slopes between all pairs (Theil and Sen): a heap's teeth and a single peak do not tilt it, as they
 * would a line of least squares.
 */
function slopeOf(points: readonly Point[]): number {
  const slopes = points.flatMap((from, index) =>
    points.slice(index + 1).map((to) => (to.value - from.value) / (to.at - from.at)),
  );
  return slopes.length === 0 ? 0 : spread(slopes).median;
}

import { spread } from "../../lib/statistics.ts";
import type { Point, Series } from "./series.ts";

/** How one quantity developed in the second half of a run. */
export interface Trend {
  readonly series: Series;
  /** Medians of the first sixth, hardly warmed up, and of the second half. */
  readonly early: number;
  readonly level: number;
  /** Growth of the fitted line over the second half; below 0 if it shrank. */
  readonly growth: number;
  /** The most that counts as level. */
  readonly allowed: number;
  readonly isLevel: boolean;
}

/** Allowed growth of the fitted line over the second half, as a share of the level. */
export const GROWTH_MAX = 0.05;

/** Whether a quantity stays level. */
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
 * The median of the slopes between all pairs (Theil–Sen): unlike least squares, it ignores a heap's sawtooth and single peaks.
 */
function slopeOf(points: readonly Point[]): number {
  const slopes = points.flatMap((from, index) =>
    points.slice(index + 1).map((to) => (to.value - from.value) / (to.at - from.at)),
  );
  return slopes.length === 0 ? 0 : spread(slopes).median;
}

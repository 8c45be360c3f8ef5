import type { SamplePoint } from "../service/answers.ts";

/** A point so many times as high as nearly all others is a spike. */
const SPIKE = 4;
const NEARLY_ALL = 0.95;

/** Where a chart of these values ends at the top: one spike does not flatten the rest. */
export function topOf(values: readonly number[]): number {
  const sorted = values.filter((value) => value > 0).toSorted((one, other) => one - other);
  const most = sorted.at(-1) ?? 0;
  const usual = sorted[Math.floor(NEARLY_ALL * (sorted.length - 1))] ?? 0;
  return most > SPIKE * usual ? usual * 2 : most;
}

/** The highest point that is cut off; undefined where the chart shows all. */
export function spikeOf(
  history: readonly SamplePoint[],
  name: "submitted" | "completed" | "failed",
  top: number,
): SamplePoint | undefined {
  const highest = history.reduce<SamplePoint | undefined>(
    (most, point) => (most === undefined || point[name] > most[name] ? point : most),
    undefined,
  );
  return highest !== undefined && highest[name] > top ? highest : undefined;
}

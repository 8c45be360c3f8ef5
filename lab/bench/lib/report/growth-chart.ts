import { number } from "../../../lib/numbers.ts";
import { line, polyline, svg, text } from "../../../lib/svg.ts";
import type { Result } from "../result.ts";
import { growthSeries, type Series } from "./comparison.ts";

const WIDTH = 680;
const HEIGHT = 300;
const PLOT = { left: 60, right: 520, top: 60, bottom: 250 };
const SHALLOWEST = 1_000;
const strokes = ["one", "two", "three"];
const LABEL_GAP = 16;

/** Holdfast at growing depths, relative to the shallowest. Flat lines are good. */
export function growthChart(results: readonly Result[]): string {
  const series = growthSeries(results);
  const depths = [SHALLOWEST, ...new Set(results.flatMap(({ row }) => row.growth?.depth ?? []))];
  const deepest = Math.max(...depths);
  const most =
    Math.max(1.25, ...series.flatMap(({ points }) => points.map(({ ratio }) => ratio.median))) * 1.05;
  const x = (depth: number) =>
    PLOT.left + (Math.log(depth / SHALLOWEST) / Math.log(deepest / SHALLOWEST)) * (PLOT.right - PLOT.left);
  const y = (ratio: number) => PLOT.bottom - (ratio / most) * (PLOT.bottom - PLOT.top);
  return svg({
    width: WIDTH,
    height: HEIGHT,
    title: "Submit, status and work at growing numbers of waiting jobs, against the same at 1,000",
    elements: [
      text(16, 22, "The more jobs wait", "title"),
      text(16, 41, "jobs or reads a second, against the same at 1,000 waiting jobs", "faint"),
      ...[0, 0.5, 1].flatMap((ratio) => [
        line(PLOT.left, y(ratio), PLOT.right, y(ratio), "grid"),
        text(PLOT.left - 8, y(ratio) + 4, `${ratio} ×`, "faint end"),
      ]),
      ...depths.map((depth) => text(x(depth), PLOT.bottom + 20, number(depth), "faint middle")),
      text((PLOT.left + PLOT.right) / 2, PLOT.bottom + 40, "waiting jobs", "faint middle"),
      ...series.map(({ points }, index) =>
        polyline(
          [
            [x(SHALLOWEST), y(1)],
            ...points.map(({ row, ratio }) => [x(row.growth?.depth ?? 1), y(ratio.median)] as const),
          ],
          strokes[index] ?? "axis",
        ),
      ),
      ...labels(series, y),
    ],
  });
}

/** Labels at the ends of the lines, without overlaps. */
function labels(series: readonly Series[], y: (ratio: number) => number): string[] {
  const ends = series
    .map(({ what, points }, index) => ({
      what,
      stroke: strokes[index] ?? "axis",
      at: points.at(-1)?.ratio.median ?? 1,
    }))
    .sort((a, b) => b.at - a.at);
  let above = Number.NEGATIVE_INFINITY;
  return ends.flatMap(({ what, stroke, at }) => {
    above = Math.max(y(at), above + LABEL_GAP);
    return [
      line(PLOT.right + 8, above, PLOT.right + 24, above, stroke),
      text(PLOT.right + 30, above + 4, `${what} ${number(at)} ×`),
    ];
  });
}

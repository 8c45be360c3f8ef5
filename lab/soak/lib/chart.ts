import { number } from "../../lib/numbers.ts";
import { line, polyline, svg, text } from "../../lib/svg.ts";
import type { Point, Series } from "./series.ts";

const COLUMNS = 2;
const PANEL = { width: 460, height: 210 };
/** Where a panel's lines are, relative to its corner. */
const PLOT = { left: 56, right: 350, top: 44, bottom: 170 };
const HEAD = 56;
const strokes = ["one", "two", "three"];
const LABEL_GAP = 16;
/** A line of this width cannot show more. */
const POINTS_MAX = 180;

/** A panel for each quantity with a line for each process; the judged second half is marked. */
export function soakChart(series: readonly Series[]): string {
  const names = [...new Set(series.map(({ quantity }) => quantity.name))];
  const lastAt = Math.max(...series.map(({ points }) => points.at(-1)?.at ?? 0));
  return svg({
    width: COLUMNS * PANEL.width,
    height: HEAD + Math.ceil(names.length / COLUMNS) * PANEL.height,
    title: "Memory, handles, lag and the store's size through the whole run",
    elements: [
      text(16, 22, "A soak under steady load", "title"),
      text(16, 41, `over ${inMinutes(lastAt)} minutes; what is right of the dashed line is judged`, "faint"),
      ...names.flatMap((name, index) => {
        const left = (index % COLUMNS) * PANEL.width;
        const top = HEAD + Math.floor(index / COLUMNS) * PANEL.height;
        return panel(
          series.filter(({ quantity }) => quantity.name === name),
          lastAt,
          left,
          top,
        );
      }),
    ],
  });
}

function panel(series: readonly Series[], lastAt: number, left: number, top: number): string[] {
  const [first] = series;
  if (first === undefined) return [];
  const { name, unit } = first.quantity;
  const most = Math.max(...series.flatMap(({ points }) => points.map(({ value }) => value)), 1) * 1.1;
  const x = (at: number) => left + PLOT.left + (at / lastAt) * (PLOT.right - PLOT.left);
  const y = (value: number) => top + PLOT.bottom - (value / most) * (PLOT.bottom - PLOT.top);
  return [
    text(left + 16, top + 24, unit === "" ? name : `${name}, ${unit}`),
    ...[0, 0.5, 1].flatMap((share) => [
      line(x(0), y(share * most), x(lastAt), y(share * most), "grid"),
      text(x(0) - 8, y(share * most) + 4, number(Number((share * most).toPrecision(2))), "faint end"),
    ]),
    line(x(lastAt / 2), top + PLOT.top, x(lastAt / 2), top + PLOT.bottom, "axis dashed"),
    ...[0, lastAt / 2, lastAt].map((at) =>
      text(x(at), top + PLOT.bottom + 18, `${inMinutes(at)} min`, "faint middle"),
    ),
    ...series.map(({ points }, index) =>
      polyline(
        thinned(points).map(({ at, value }) => [x(at), y(value)] as const),
        strokes[index] ?? "axis",
      ),
    ),
    ...labels(series, left + PLOT.right, y),
  ];
}

/** Labels at the ends of the lines, without overlaps, and inside the panel. */
function labels(series: readonly Series[], left: number, y: (value: number) => number): string[] {
  const ends = series
    .map(({ owner, points }, index) => ({
      owner,
      stroke: strokes[index] ?? "axis",
      at: y(points.at(-1)?.value ?? 0),
    }))
    .sort((a, b) => b.at - a.at);
  let below = Math.min(ends[0]?.at ?? 0, y(0)) + LABEL_GAP;
  return ends.flatMap(({ owner, stroke, at }) => {
    below = Math.min(at, below - LABEL_GAP);
    return [line(left + 6, below, left + 18, below, stroke), text(left + 22, below + 4, owner, "faint")];
  });
}

/** To the nearest half. */
function inMinutes(seconds: number): string {
  return String(Math.round(seconds / 30) / 2);
}

function thinned(points: readonly Point[]): readonly Point[] {
  const every = Math.ceil(points.length / POINTS_MAX);
  return points.filter((_, index) => index % every === 0);
}

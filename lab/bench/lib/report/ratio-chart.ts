import { goal, number } from "../../../lib/numbers.ts";
import { bar, line, svg, text } from "../../../lib/svg.ts";
import type { Result } from "../result.ts";

const WIDTH = 960;
const ROW = 34;
const TOP = 56;
const BAR = 14;
/** The area of the bars, with titles to the left and ratios to the right. */
const PLOT = { left: 420, right: 770 };
/** One ratio is a thousand; at full length the others would be invisible. */
const MOST = 12;

const classes = { reached: "good", missed: "bad", invalid: "bad", "for orientation": "other" } as const;

/** Bars of each row's ratio on a truncated logarithmic axis: further right is better in every row. */
export function ratioChart(results: readonly Result[]): string {
  const ratios = results.flatMap(({ row, ratio }) =>
    [ratio.median, row.reach ?? 1].map((times) => advantage(row.better, times)),
  );
  const x = logScale(Math.min(0.5, ...ratios) / 1.1);
  const bottom = TOP + results.length * ROW;
  return svg({
    width: WIDTH,
    height: bottom + 34,
    title: "Holdfast's ratio to its opponent in each row of the benchmark, and the goal",
    elements: [
      text(16, 22, "Holdfast against its opponents", "title"),
      text(
        16,
        41,
        "bar: ratio to the opponent, to the right is better, » goes on; tick: the goal; 1 × is the opponent",
        "faint",
      ),
      line(x(1), TOP - 6, x(1), bottom, "axis"),
      ...[0.5, 1, 2, 5, 10].map((times) => text(x(times), bottom + 18, `${times} ×`, "faint middle")),
      ...results.flatMap((result, index) => rowElements(result, TOP + index * ROW, x)),
    ],
  });
}

function rowElements({ row, ratio, verdict }: Result, top: number, x: (value: number) => number): string[] {
  const middle = top + ROW / 2;
  const times = advantage(row.better, ratio.median);
  const reach = row.reach === undefined ? Number.POSITIVE_INFINITY : advantage(row.better, row.reach);
  return [
    text(PLOT.left - 12, middle + 4, row.title.replaceAll("`", ""), "end"),
    bar(x(1), x(Math.min(times, MOST)), middle - BAR / 2, BAR, classes[verdict]),
    ...(times > MOST ? [text(PLOT.right + 2, middle + 4, "»")] : []),
    ...(reach > MOST ? [] : [line(x(reach), middle - BAR, x(reach), middle + BAR, "goal")]),
    text(PLOT.right + 82, middle + 4, `${number(ratio.median)} ×`, "end"),
    text(WIDTH - 12, middle + 4, goal(row), "faint end"),
  ];
}

/** How many times better, whether higher or lower is better. */
function advantage(better: "higher" | "lower", ratio: number): number {
  const times = better === "higher" ? ratio : 1 / ratio;
  return Number.isFinite(times) && times > 0 ? times : 1;
}

function logScale(least: number): (value: number) => number {
  const width = PLOT.right - PLOT.left;
  return (value) => PLOT.left + (Math.log(value / least) / Math.log(MOST / least)) * width;
}

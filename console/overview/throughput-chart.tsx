import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { counted, dayOf, duration, nearInstant, rate, timeOfDay, viewersZone } from "../parts/format.ts";
import { Empty } from "../parts/states.tsx";
import { DARK, useMedia } from "../parts/use-media.ts";
import type { HistoryMark, SamplePoint } from "../service/answers.ts";
import { spikeOf, topOf } from "./scale.ts";

const HEIGHT = 240;
const SHORTEST_S = 60;

const FAILURES = "failures";

/** Lines differ by dash as well as by colour. */
const lines = [
  { name: "submitted", colour: "--quiet", dash: [2, 3], width: 1.5, scale: "y" },
  { name: "completed", colour: "--accent", dash: [], width: 2, scale: "y" },
  // On a scale of its own: beside a thousand a second, ten failures would be a flat line.
  { name: "failed", colour: "--bad", dash: [7, 3], width: 2, scale: FAILURES },
] as const;

interface ChartProps {
  readonly history: readonly SamplePoint[];
  /** Drawn as triangles. Their meaning must be beside the chart. */
  readonly marks: readonly HistoryMark[];
  /** Where the time axis ends; null: at the last point. */
  readonly to: string | null;
}

/** Submitted, completed and failed jobs, and what was done meanwhile. */
export function ThroughputChart({ history, marks, to }: ChartProps) {
  const [pointed, setPointed] = useState<number | null>(null);
  const latest = history.at(-1);
  if (latest === undefined)
    return <Empty title="Measuring starts now.">The first values appear in a few seconds.</Empty>;
  const shown = history[pointed ?? -1] ?? latest;
  return (
    <figure className="chart">
      <div role="img" aria-label={inWords(history, latest)}>
        <Plot history={history} marks={marks} to={to} onPoint={setPointed} />
      </div>
      <figcaption>
        <span className="quiet">
          {shown === latest && to === null
            ? "now"
            : `${pointLabel(shown.at, spanMsOf(history))} ${viewersZone()}`}
        </span>
        {lines.map(({ name, dash }) => (
          <span key={name} className={`legend ${name}`}>
            <svg viewBox="0 0 20 4" aria-hidden="true">
              <path d="M0 2H20" strokeDasharray={dash.join(" ")} />
            </svg>
            {name} <b>{rate(shown[name])}</b>
            {name === "failed" && <span className="quiet">(scale on the right)</span>}
          </span>
        ))}
      </figcaption>
      <Spikes history={history} />
    </figure>
  );
}

/** What is higher than the chart, in words. */
function Spikes({ history }: Pick<ChartProps, "history">) {
  const shared = Math.max(
    ...(["submitted", "completed"] as const).map((name) => topOf(history.map((point) => point[name]))),
  );
  const cut = lines.flatMap(({ name, scale }) => {
    const top = (scale === FAILURES ? topOf(history.map(({ failed }) => failed)) : shared) * 1.1;
    const spike = spikeOf(history, name, top);
    return spike === undefined ? [] : [{ name, value: spike[name], at: spike.at }];
  });
  if (cut.length === 0) return null;
  return (
    <p className="quiet spikes">
      Higher than the chart:{" "}
      {cut
        .map(({ name, value, at }) => `${rate(value)} ${name} at ${pointLabel(at, spanMsOf(history))}`)
        .join(", ")}
    </p>
  );
}

interface PlotProps extends ChartProps {
  /** Called with the index under the pointer. */
  readonly onPoint: (index: number | null) => void;
}

function Plot({ history, marks, to, onPoint }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef({ marks, to });
  drawn.current = { marks, to };
  const plot = useRef<uPlot>(null);
  const isDark = useMedia(DARK);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a canvas gets its colours once, so a new theme needs a new plot
  useEffect(() => {
    const target = place.current;
    if (target === null) return;
    const made = new uPlot(
      optionsFor(target, onPoint, () => drawn.current),
      tableOf([]),
      target,
    );
    plot.current = made;
    const fit = new ResizeObserver(() => made.setSize({ width: target.clientWidth, height: HEIGHT }));
    fit.observe(target);
    return () => {
      fit.disconnect();
      made.destroy();
    };
  }, [isDark, onPoint]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new plot needs its data again
  useEffect(() => plot.current?.setData(tableOf(history)), [history, marks, to, isDark]);

  return <div ref={place} className="plot" />;
}

function optionsFor(
  target: HTMLElement,
  onPoint: PlotProps["onPoint"],
  drawn: () => Pick<ChartProps, "marks" | "to">,
): uPlot.Options {
  const style = getComputedStyle(target);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--quiet"),
    font: `12px ${style.fontFamily}`,
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: target.clientWidth,
    height: HEIGHT,
    padding: [8, 0, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { setScale: false } },
    scales: {
      // uPlot would stretch a single point to a day.
      x: { range: ({ data: [at] }) => spanOf(at, drawn().to) },
      y: {
        range: ({ data: [, submitted = [], completed = []] }) => [
          0,
          Math.max(topIn(submitted, completed) * 1.1, LEAST_TOP),
        ],
      },
      [FAILURES]: { range: ({ data: [, , , failed = []] }) => [0, topIn(failed) * 1.1 || 1] },
    },
    axes: [
      {
        ...axis,
        size: 26,
        space: 70,
        values: (plot, at) => at.map((seconds) => axisLabel(seconds, plotSpanMs(plot))),
      },
      { ...axis, size: 44, values: (_plot, values) => values.map(rate) },
      {
        ...axis,
        scale: FAILURES,
        side: 1,
        size: 44,
        stroke: colour("--bad"),
        grid: { show: false },
        values: (_plot, values) => values.map(rate),
      },
    ],
    series: [
      {},
      ...lines.map(({ name, colour: stroke, dash, width, scale }) => ({
        label: name,
        scale,
        stroke: colour(stroke),
        dash: [...dash],
        width,
        points: { show: false },
      })),
    ],
    hooks: {
      setCursor: [({ cursor }) => onPoint(cursor.idx ?? null)],
      draw: [(plot) => drawMarks(plot, drawn().marks, colour("--edge"))],
    },
  };
}

/** Jobs a second: one job in a minute is still seen. */
const LEAST_TOP = 0.05;

function topIn(...series: readonly ArrayLike<number | null | undefined>[]): number {
  return Math.max(...series.map((values) => topOf(Array.from(values, (value) => value ?? 0))));
}

/** A small triangle at the top for each mark. */
function drawMarks({ ctx, bbox, valToPos }: uPlot, marks: readonly HistoryMark[], colour: string): void {
  const size = 4 * devicePixelRatio;
  ctx.save();
  ctx.fillStyle = colour;
  for (const { at } of marks) {
    const x = Math.round(valToPos(Date.parse(at) / 1_000, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x - size, bbox.top);
    ctx.lineTo(x + size, bbox.top);
    ctx.lineTo(x, bbox.top + size * 1.5);
    ctx.fill();
  }
  ctx.restore();
}

const DAY_MS = 86_400_000;

/** "15:08", "15:08:30" between two minutes, "24 Nov" over days. */
function axisLabel(seconds: number, spanMs: number): string {
  if (spanMs > 2 * DAY_MS) return dayOf(seconds * 1_000);
  const text = timeOfDay(seconds * 1_000);
  return seconds % 60 === 0 ? text.slice(0, 5) : text;
}

/** When the point under the pointer was. */
function pointLabel(at: string, spanMs: number): string {
  return spanMs > DAY_MS / 2 ? nearInstant(at) : timeOfDay(at);
}

function plotSpanMs({ scales }: uPlot): number {
  return ((scales.x?.max ?? 0) - (scales.x?.min ?? 0)) * 1_000;
}

function spanMsOf(history: readonly SamplePoint[]): number {
  return Date.parse(history.at(-1)?.at ?? "") - Date.parse(history[0]?.at ?? "");
}

function spanOf(at: ArrayLike<number>, end: string | null): [number, number] {
  const to = end === null ? (at[at.length - 1] ?? 0) : Date.parse(end) / 1_000;
  return [Math.min(at[0] ?? 0, to - SHORTEST_S), to];
}

function tableOf(history: readonly SamplePoint[]): uPlot.AlignedData {
  return [
    history.map(({ at }) => Date.parse(at) / 1_000),
    ...lines.map(({ name }) => history.map((point) => point[name])),
  ] as uPlot.AlignedData;
}

function inWords(history: readonly SamplePoint[], latest: SamplePoint): string {
  const first = history[0] ?? latest;
  const span = duration(Date.parse(latest.at) - Date.parse(first.at));
  const most = Math.max(...history.map(({ completed }) => completed));
  const now = lines.map(({ name }) => `${rate(latest[name])} ${name}`).join(", ");
  return `Jobs a second over the last ${span}. Now ${now}. At most ${rate(most)} completed, over ${counted(history.length, "point")}.`;
}

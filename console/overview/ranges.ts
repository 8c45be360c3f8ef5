import { queryOptions } from "@tanstack/react-query";
import type { History, HistoryPoint, SamplePoint } from "../service/answers.ts";
import { service } from "../service/call.ts";
import { serviceNow } from "../service/clock.ts";

const HOUR_MS = 3_600_000;
const REFRESH_MS = 10_000;

/** How far back the charts go. `live` is what this page has seen, every two seconds. */
export const ranges = [
  { name: "10 min", spanMs: 0, step: "" },
  { name: "3 h", spanMs: 3 * HOUR_MS, step: "1m" },
  { name: "24 h", spanMs: 24 * HOUR_MS, step: "10m" },
  { name: "14 d", spanMs: 14 * 24 * HOUR_MS, step: "2h" },
] as const;
export type Range = (typeof ranges)[number];

/** @param name as in the page's address */
export function rangeOf(name: string | null): Range {
  return ranges.find((range) => range.name.replace(" ", "") === name) ?? ranges[1];
}

export function addressOf({ name }: Range): string {
  return name.replace(" ", "");
}

export function historyQuery({ name, spanMs, step }: Range) {
  return queryOptions({
    queryKey: ["history", name],
    queryFn: () => service.history({ from: new Date(Date.parse(serviceNow()) - spanMs), step }),
    enabled: spanMs > 0,
    refetchInterval: REFRESH_MS,
    placeholderData: (before) => before,
  });
}

/** Rates of a history. The step that is not over yet would look like a fall. */
export function ratesOf({ points, stepMs, to }: History): SamplePoint[] {
  const isOver = ({ at }: HistoryPoint) => Date.parse(at) + stepMs <= Date.parse(to);
  const perSecond = (count: number) => count / (stepMs / 1_000);
  return points.filter(isOver).map((point) => ({
    at: point.at,
    submitted: perSecond(point.submitted),
    completed: perSecond(point.completed),
    failed: perSecond(point.failed + point.expired + point.inDoubt),
  }));
}

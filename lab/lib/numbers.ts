import type { Latency, Row } from "../bench/lib/row.ts";
import type { Spread } from "./statistics.ts";

/** Three significant digits: "23,400", "7.14", "0.0812". */
export function number(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const digits = Number(value.toPrecision(3));
  return digits.toLocaleString("en-US", { maximumSignificantDigits: 7 });
}

export function withRange({ median, min, max }: Spread): string {
  return `${number(median)} (${number(min)}–${number(max)})`;
}

export function ratio({ median, min, max }: Spread): string {
  return `${number(median)} × (${number(min)}–${number(max)})`;
}

export function latency(latency: Latency | undefined): string {
  if (latency === undefined) return "";
  return [latency.p50, latency.p90, latency.p99].map(number).join(" / ");
}

/** A row's goal, such as "≥ 5 ×". */
export function goal({ reach, better }: Row): string {
  return reach === undefined ? "" : `${better === "higher" ? "≥" : "≤"} ${number(reach)} ×`;
}

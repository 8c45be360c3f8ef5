import { visibleJson } from "./visible.ts";

export { durationText as duration } from "../../src/platform/lib/duration-text.ts";

const wholes = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const hundredths = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** 12345 → "12,345". */
export function count(value: number): string {
  return wholes.format(value);
}

/** "1 job", "12,345 jobs". */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** Per second: "0.25", "3.4", "1,234". */
export function rate(value: number): string {
  if (value < 1) return hundredths.format(value);
  return value < 100 ? tenths.format(value) : wholes.format(value);
}

/** "812 KiB", "1.2 GiB". */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(Math.floor(Math.log2(Math.max(value, 1)) / 10), units.length - 1);
  const scaled = value / 1024 ** power;
  return `${scaled < 10 ? tenths.format(scaled) : wholes.format(scaled)} ${units[power]}`;
}

/** An age in one unit: "12 s", "3 min", "5 h", "8 d". */
export function age(ms: number): string {
  if (ms < MINUTE) return `${Math.max(0, Math.floor(ms / SECOND))} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < 2 * DAY) return `${Math.round(ms / HOUR)} h`;
  return `${wholes.format(Math.round(ms / DAY))} d`;
}

/** An instant relative to now: "12 s ago", "now", "in 3 min". */
export function relative(at: number, now: number): string {
  const ms = now - at;
  if (Math.abs(ms) < SECOND) return "now";
  return ms > 0 ? `${age(ms)} ago` : `in ${age(-ms)}`;
}

const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" } as const;
const day = { day: "numeric", month: "short", year: "numeric" } as const;

/** "24 Nov 2026, 15:08:12", in a time zone; by default the viewer's. */
export function instant(at: string | number, timeZone?: string): string {
  return new Intl.DateTimeFormat("en-GB", { ...day, ...clock, ...(timeZone && { timeZone }) }).format(
    new Date(at),
  );
}

/** "Tue 24 Nov, 07:00", for instants that are near. */
export function nearInstant(at: string, timeZone?: string): string {
  return new Intl.DateTimeFormat("en-GB", {
    weekday: "short",
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    ...(timeZone && { timeZone }),
  }).format(new Date(at));
}

/** "Tue 24 Nov, 07:00"; "24 Nov 2025, 07:00" in another year than this one. */
export function datedInstant(at: string, timeZone?: string): string {
  const yearOf = (time: Date) => instant(time.toISOString(), timeZone).split(",")[0]?.slice(-4);
  return yearOf(new Date(at)) === yearOf(new Date())
    ? nearInstant(at, timeZone)
    : instant(at, timeZone).slice(0, -3);
}

/** "Tue 24 Nov, 07:00 to Wed 25 Nov, 07:00"; both with a year if one of them is of another year. */
export function rangeText(from: string, to: string, timeZone?: string): string {
  const near = [from, to].map((at) => nearInstant(at, timeZone));
  const dated = [from, to].map((at) => datedInstant(at, timeZone));
  if (dated.every((text, index) => text === near[index])) return near.join(" to ");
  return [from, to].map((at) => instant(at, timeZone).slice(0, -3)).join(" to ");
}

/** "24 Nov", in the viewer's time zone. */
export function dayOf(at: number): string {
  return new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" }).format(new Date(at));
}

/** "15:08:12", in the viewer's time zone. */
export function timeOfDay(at: string | number): string {
  return new Intl.DateTimeFormat("en-GB", clock).format(new Date(at));
}

/** The viewer's zone, e.g. "Asia/Kolkata". */
export function viewersZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** JSON for people. */
export function prettyJson(value: unknown): string {
  return visibleJson(JSON.stringify(value, null, 2) ?? "");
}

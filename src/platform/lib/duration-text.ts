const units = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
  [1, "ms"],
] as const;

/** A measured duration: "0.4 ms", "250 ms", "4.1 s", "44 s", "2 min 5 s", "1 d 4 h". @param ms milliseconds, not negative */
export function durationText(ms: number): string {
  if (ms < 10_000) return ms < 999.5 ? `${toTenths(ms)} ms` : `${toTenths(ms / 1_000)} s`;
  const parts = partsOf(Math.floor(ms / 1_000) * 1_000);
  const first = parts.findIndex(({ count }) => count > 0);
  return textOf(parts.slice(first, first + 2));
}

/** From 10 on to ones. */
function toTenths(value: number): number {
  return value < 10 ? Math.round(value * 10) / 10 : Math.round(value);
}

/** A configured duration, exactly: "15 min", "1 h 30 min 5 s 250 ms", "7 d". @param ms whole milliseconds */
export function exactDurationText(ms: number): string {
  return textOf(partsOf(ms));
}

interface Part {
  readonly count: number;
  readonly unit: string;
}

function partsOf(ms: number): Part[] {
  let rest = ms;
  return units.map(([size, unit]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return { count, unit };
  });
}

function textOf(parts: readonly Part[]): string {
  const texts = parts.filter(({ count }) => count > 0).map(({ count, unit }) => `${count} ${unit}`);
  return texts.join(" ") || "0 s";
}

/** What several processes tell, as one: each metric by its name, each of its lines by all that stands before the number. */
export type Told = ReadonlyMap<string, Family>;

interface Family {
  readonly kind: string;
  readonly head: readonly string[];
  readonly series: Map<string, number>;
}

/** Gauges of which each process has a part. Of all others the largest counts: what is read from the store is the same. */
const SHARED =
  /^(holdfast_followers|process_(resident|virtual)_memory_bytes|process_heap_bytes|process_open_fds|nodejs_(heap|external_memory|active)_.*)$/;
/** Gauges that are only as good as the worst of them. */
const WORST = /^(holdfast_store_up|nodejs_eventloop_lag_min_seconds)$/;

/** Reads Prometheus' text format, as `Metrics.scrape` writes it. */
export function parseMetrics(text: string): Told {
  const told = new Map<string, Family>();
  let family: Family | undefined;
  let help = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("# HELP ")) help = line;
    else if (line.startsWith("# TYPE ")) {
      const [, , name = "", kind = ""] = line.split(" ");
      family = { kind, head: [help, line], series: new Map() };
      told.set(name, family);
    } else if (line !== "") {
      const cut = line.lastIndexOf(" ");
      family?.series.set(line.slice(0, cut), Number(line.slice(cut + 1)));
    }
  }
  return told;
}

/**
 * Adds up what processes tell.
 *
 * @param present of those that told it just now
 * @param past of those that told it before, and are silent or gone: what they counted still counts, or the sum would fall
 */
export function mergeMetrics(present: readonly Told[], past: readonly Told[]): Told {
  const merged = new Map<string, Family>();
  for (const told of present) add(merged, told, () => true);
  for (const told of past) add(merged, told, ({ kind }) => kind !== "gauge");
  return merged;
}

export function printMetrics(told: Told): string {
  const lines = [...told.values()].flatMap(({ head, series }) => [
    ...head,
    ...[...series].map(([name, value]) => `${name} ${value}`),
  ]);
  return `${lines.join("\n")}\n`;
}

function add(merged: Map<string, Family>, told: Told, counts: (family: Family) => boolean): void {
  for (const [name, family] of told) {
    if (!counts(family)) continue;
    const known = merged.get(name) ?? { ...family, series: new Map<string, number>() };
    merged.set(name, known);
    const together = ruleFor(name, family);
    for (const [series, value] of family.series) {
      const before = known.series.get(series);
      known.series.set(series, before === undefined ? value : together(before, value));
    }
  }
}

function ruleFor(name: string, { kind }: Family): (one: number, other: number) => number {
  if (kind !== "gauge" || SHARED.test(name)) return (one, other) => one + other;
  return WORST.test(name) ? Math.min : Math.max;
}

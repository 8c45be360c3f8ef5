import type { Counter } from "prom-client";

/** Counts by the values of a counter's labels, in their order. */
export type Tally = (values: readonly (string | number)[], by?: number) => void;

/**
 * A counter for what happens at each request. prom-client looks up a series for each increment; this does so at each scrape
 * (row `http-submit`).
 *
 * @param labels the counter's
 */
export function createTally<Label extends string>(
  counter: Counter<Label>,
  labels: readonly Label[],
): { readonly count: Tally; flush(): void } {
  const counts = new Map<string, number>();
  return {
    count(values, by = 1) {
      const series = values.join("\n");
      counts.set(series, (counts.get(series) ?? 0) + by);
    },
    flush() {
      for (const [series, count] of counts) {
        const values = series.split("\n");
        const entries = labels.map((label, index) => [label, values[index] ?? ""] as const);
        counter.inc(Object.fromEntries(entries) as Record<Label, string>, count);
      }
      counts.clear();
    },
  };
}

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { oneAtATime } from "../lib/one-at-a-time.ts";

export interface MetricDefinition {
  readonly kind: "counter" | "gauge" | "histogram";
  /** Their values are closed sets, never ids, keys, paths or messages. */
  readonly labels: readonly string[];
  /** One line for Prometheus and `docs/observe.md`. */
  readonly help: string;
  readonly reportedBy: readonly ("api" | "worker" | "scheduler" | "relay")[];
  /** Upper bounds of a histogram's buckets. */
  readonly buckets?: readonly number[];
}

/** By name. */
export type MetricDefinitions = Readonly<Record<string, MetricDefinition>>;

/** The names of the metrics of one kind. */
type NameOf<Definitions extends MetricDefinitions, Kind extends MetricDefinition["kind"]> = {
  [Name in keyof Definitions & string]: Definitions[Name]["kind"] extends Kind ? Name : never;
}[keyof Definitions & string];

type LabelOf<
  Definitions extends MetricDefinitions,
  Name extends keyof Definitions,
> = Definitions[Name]["labels"][number];

/** Creates the metrics of some definitions, each once. */
export interface MetricsOf<D extends MetricDefinitions> {
  counter<Name extends NameOf<D, "counter">>(name: Name): Counter<LabelOf<D, Name>>;
  tally(name: NameOf<D, "counter">): Tally;
  gauge<Name extends NameOf<D, "gauge">>(name: Name): Gauge<LabelOf<D, Name>>;
  histogram<Name extends NameOf<D, "histogram">>(name: Name): Histogram<LabelOf<D, Name>>;
}

/** What one process reports: the metrics that its parts have created, and prom-client's of the process. */
export interface Metrics {
  of<D extends MetricDefinitions>(definitions: D): MetricsOf<D>;
  /** Runs `read` at each scrape, to set gauges. It must end in time and not throw. */
  beforeScrape(read: () => Promise<void> | void): void;
  /** Concurrent callers share one scrape. @returns all metrics, as text of the type `METRICS_TYPE` */
  scrape(): Promise<string>;
}

export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** The metrics of one role. A process can run several roles. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const processMetrics = metricsOfProcess();
  const reads: (() => Promise<void> | void)[] = [];
  const flushes: (() => void)[] = [];
  return {
    of<D extends MetricDefinitions>(definitions: D): MetricsOf<D> {
      const definitionOf = (name: keyof D): MetricDefinition => definitions[name] as D[keyof D];
      const configOf = <Name extends keyof D & string>(name: Name) => {
        const { help, labels } = definitionOf(name);
        return { name, help, labelNames: labels as readonly LabelOf<D, Name>[], registers: [registry] };
      };
      return {
        counter: (name) => new Counter(configOf(name)),
        tally(name) {
          const config = configOf(name);
          const { count, flush } = createTally(new Counter(config), config.labelNames);
          flushes.push(flush);
          return count;
        },
        gauge: (name) => new Gauge(configOf(name)),
        histogram(name) {
          const { buckets } = definitionOf(name);
          return new Histogram({ ...configOf(name), ...(buckets && { buckets: [...buckets] }) });
        },
      };
    },
    beforeScrape: (read) => void reads.push(read),
    scrape: oneAtATime(async () => {
      await Promise.all(reads.map((read) => read()));
      // Last, so that they are as new as the other counters.
      for (const flush of flushes) flush();
      return `${await registry.metrics()}\n${await processMetrics.metrics()}`;
    }),
  };
}

/** Gauges with a counter's name, which promtool refuses. Other metrics report their parts. */
const MISNAMED = [
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
];

let processRegistry: Registry | undefined;

/** One registry for the whole process: prom-client's observers cannot be stopped, so they start once. */
function metricsOfProcess(): Registry {
  if (processRegistry === undefined) {
    processRegistry = new Registry();
    collectDefaultMetrics({ register: processRegistry });
    for (const name of MISNAMED) processRegistry.removeSingleMetric(name);
  }
  return processRegistry;
}

/** Maps names outside a closed set to `other`, so that invented names cannot add series. */
export function closedSet(names: Iterable<string>): (name: string) => string {
  const known = new Set(names);
  return (name) => (known.has(name) ? name : "other");
}

/** Counts by the values of a counter's labels, in their order. */
export type Tally = (values: readonly (string | number)[], by?: number) => void;

/**
 * A counter for what happens at each request. prom-client looks up a series for each increment; this does so at each scrape
 * (row `http-submit`).
 *
 * @param labels the counter's
 */
function createTally<Label extends string>(
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

import { collectDefaultMetrics, Registry } from "prom-client";
import { Counter, Gauge, Histogram, Metric } from "./instruments.ts";
import {
  type LabelsOf,
  type MetricDefinition,
  metricDefinitions,
  type NameOf,
} from "./metric-definitions.ts";

/** What one process tells Prometheus. A metric is told from when the part that takes it has asked for it. */
export interface Metrics {
  counter<Name extends NameOf<"counter">>(name: Name): Metric<LabelsOf<Name>, Counter>;
  gauge<Name extends NameOf<"gauge">>(name: Name): Metric<LabelsOf<Name>, Gauge>;
  histogram<Name extends NameOf<"histogram">>(name: Name): Metric<LabelsOf<Name>, Histogram>;
  /** Has `read` set at each scrape what is not counted as it happens. It must end in time, and never throw. */
  beforeScrape(read: () => Promise<void> | void): void;
  /** All of it as text of the type `METRICS_TYPE`. */
  scrape(): Promise<string>;
}

/** Prometheus' text format. */
export const METRICS_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** The metrics of one process, or of one part of a process that has several. */
export function createMetrics(): Metrics {
  const told: { text(): string }[] = [];
  const reads: (() => Promise<void> | void)[] = [];
  const ofProcess = metricsOfProcess();
  const added = <Added extends { text(): string }>(metric: Added): Added => {
    told.push(metric);
    return metric;
  };
  return {
    counter: (name) => added(new Metric(name, metricDefinitions[name], () => new Counter())),
    gauge: (name) => added(new Metric(name, metricDefinitions[name], () => new Gauge())),
    histogram(name) {
      const definition: MetricDefinition = metricDefinitions[name];
      return added(new Metric(name, definition, () => new Histogram(definition.buckets ?? [])));
    },
    beforeScrape: (read) => void reads.push(read),
    async scrape() {
      await Promise.all(reads.map((read) => read()));
      return [...told.map((metric) => metric.text()), await ofProcess.metrics()].join("");
    },
  };
}

/** Gauges with the name of a counter: promtool refuses them, and their parts are told one by one anyway. */
const MISNAMED = [
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
];

let processRegistry: Registry | undefined;

/** What is true of the process as a whole: its observers cannot be stopped, so they are started once. */
function metricsOfProcess(): Registry {
  if (processRegistry === undefined) {
    processRegistry = new Registry();
    collectDefaultMetrics({ register: processRegistry });
    for (const name of MISNAMED) processRegistry.removeSingleMetric(name);
  }
  return processRegistry;
}

/** One thing for each of some names. */
export function byName<Name extends string, T>(
  names: readonly Name[],
  make: (name: Name) => T,
): Readonly<Record<Name, T>> {
  return Object.fromEntries(names.map((name) => [name, make(name)])) as Record<Name, T>;
}

/**
 * One thing for each name of a closed set, and one more, `other`, for all names that are not in it; each is made when it is
 * asked for. What is measured by the type of a job, for example, grows no series for types that somebody made up.
 */
export function byKnownName<T>(names: Iterable<string>, make: (name: string) => T): (name: string) => T {
  const known = new Set(names);
  const made = new Map<string, T>();
  const makeOnce = (name: string) => {
    const one = made.get(name) ?? make(name);
    made.set(name, one);
    return one;
  };
  return (name) => made.get(name) ?? makeOnce(known.has(name) ? name : "other");
}

import type { MetricDefinition } from "./metric-definitions.ts";

/**
 * What is counted as it happens costs an addition here: the labels are spelled out once, when `labels()` is asked for.
 * (prom-client spells them out for each value: that was 2.7 µs of each request, a tenth of all it takes.)
 */
interface Series {
  /** Its lines in Prometheus' text format. @param labels as they stand between the braces */
  lines(name: string, labels: string): string[];
}

/** A number that only grows. */
export class Counter implements Series {
  #value = 0;

  inc(): void {
    this.#value += 1;
  }

  lines(name: string, labels: string): string[] {
    return [line(name, labels, this.#value)];
  }
}

/** A number as it is now. */
export class Gauge implements Series {
  #value = 0;

  set(value: number): void {
    this.#value = value;
  }

  lines(name: string, labels: string): string[] {
    return [line(name, labels, this.#value)];
  }
}

/** Values by their size. */
export class Histogram implements Series {
  readonly #bounds: readonly number[];
  /** How many values there were up to each bound and beyond the one before; the last one is for those beyond all. */
  readonly #counts: number[];
  #sum = 0;

  /** @param bounds in ascending order */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = [...bounds, Number.POSITIVE_INFINITY].map(() => 0);
  }

  observe(value: number): void {
    let bucket = 0;
    for (const bound of this.#bounds) {
      if (value <= bound) break;
      bucket += 1;
    }
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += value;
  }

  lines(name: string, labels: string): string[] {
    let count = 0;
    const told = labels === "" ? "" : `${labels},`;
    const buckets = this.#counts.map((inBucket, index) => {
      count += inBucket;
      return line(`${name}_bucket`, `${told}le="${this.#bounds[index] ?? "+Inf"}"`, count);
    });
    return [...buckets, line(`${name}_sum`, labels, this.#sum), line(`${name}_count`, labels, count)];
  }
}

/** All series of one metric. */
export class Metric<Labels extends readonly string[], One extends Series> {
  readonly #name: string;
  readonly #definition: MetricDefinition;
  readonly #make: () => One;
  readonly #series = new Map<string, One>();

  constructor(name: string, definition: MetricDefinition, make: () => One) {
    this.#name = name;
    this.#definition = definition;
    this.#make = make;
  }

  /** The one with these values of the labels, in their order. It is told from now on. */
  labels(...values: { readonly [Index in keyof Labels]: string }): One {
    const labels = this.#definition.labels
      .map((label, index) => `${label}="${escaped(values[index] ?? "")}"`)
      .join(",");
    const series = this.#series.get(labels) ?? this.#make();
    this.#series.set(labels, series);
    return series;
  }

  /** Tells none of them any more. */
  clear(): void {
    this.#series.clear();
  }

  text(): string {
    const { kind, help } = this.#definition;
    const lines = [...this.#series].flatMap(([labels, series]) => series.lines(this.#name, labels));
    return [`# HELP ${this.#name} ${help}`, `# TYPE ${this.#name} ${kind}`, ...lines, ""].join("\n");
  }
}

function line(name: string, labels: string, value: number): string {
  return labels === "" ? `${name} ${value}` : `${name}{${labels}} ${value}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

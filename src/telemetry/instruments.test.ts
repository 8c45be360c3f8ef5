import { describe, expect, it } from "vitest";
import { Counter, Gauge, Histogram, Metric } from "./instruments.ts";

const reportedBy = ["api"] as const;
const define = <const Labels extends readonly string[]>(
  kind: "counter" | "gauge" | "histogram",
  labels: Labels,
) => ({
  kind,
  labels,
  help: "Some.",
  reportedBy,
});

describe("a metric", () => {
  it("counts each combination of labels by itself, from zero", () => {
    const metric = new Metric<["type", "state"], Counter>(
      "a_total",
      define("counter", ["type", "state"]),
      () => new Counter(),
    );
    metric.labels("x", "new");
    const counter = metric.labels("y", "new");
    counter.inc();
    counter.inc();
    metric.labels("y", "new").inc();

    expect(metric.text()).toBe(
      '# HELP a_total Some.\n# TYPE a_total counter\na_total{type="x",state="new"} 0\na_total{type="y",state="new"} 3\n',
    );
  });

  it("without labels is one number", () => {
    const metric = new Metric<[], Gauge>("a", define("gauge", []), () => new Gauge());
    metric.labels().set(2.5);
    metric.labels().set(1e-7);

    expect(metric.text()).toBe("# HELP a Some.\n# TYPE a gauge\na 1e-7\n");
  });

  it("that was cleared tells nothing until it is set again", () => {
    const metric = new Metric<["queue"], Gauge>("a", define("gauge", ["queue"]), () => new Gauge());
    metric.labels("q").set(1);
    metric.clear();
    expect(metric.text()).toBe("# HELP a Some.\n# TYPE a gauge\n");

    metric.labels("q").set(2);
    expect(metric.text()).toContain('a{queue="q"} 2\n');
  });

  it("keeps whatever stands in a label inside its quotes", () => {
    const metric = new Metric<["queue"], Gauge>("a", define("gauge", ["queue"]), () => new Gauge());
    metric.labels('q"} 1\nb \\').set(1);

    expect(metric.text()).toContain('a{queue="q\\"} 1\\nb \\\\"} 1\n');
  });
});

describe("a histogram", () => {
  it("tells how many values were at most each bound, how many there were, and their sum", () => {
    const metric = new Metric<["type"], Histogram>(
      "a",
      define("histogram", ["type"]),
      () => new Histogram([0.5, 1]),
    );
    const histogram = metric.labels("x");
    for (const value of [0, 0.5, 0.75, 2, 3]) histogram.observe(value);

    expect(metric.text().split("\n").slice(2)).toEqual([
      'a_bucket{type="x",le="0.5"} 2',
      'a_bucket{type="x",le="1"} 3',
      'a_bucket{type="x",le="+Inf"} 5',
      'a_sum{type="x"} 6.25',
      'a_count{type="x"} 5',
      "",
    ]);
  });

  it("without labels is told with its bounds alone", () => {
    const metric = new Metric<[], Histogram>("a", define("histogram", []), () => new Histogram([1]));
    metric.labels().observe(1);

    expect(metric.text()).toContain('a_bucket{le="1"} 1\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n');
  });
});

import { describe, expect, it } from "vitest";
import { metricDefinitions } from "./metric-definitions.ts";
import { closedSet, createMetrics } from "./metrics.ts";

describe("metrics", () => {
  it("are reported once a part has created them, with those of the process", async () => {
    const metrics = createMetrics();
    metrics.counter("holdfast_submissions_total").inc({ type: "a", outcome: "accepted" });

    const text = await metrics.scrape();

    expect(text).toContain('holdfast_submissions_total{type="a",outcome="accepted"} 1\n');
    expect(text).toMatch(/^process_cpu_seconds_total \d/m);
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds \d/m);
    expect(text).not.toContain("holdfast_attempts_total");
  });

  it("of two roles in one process do not mix", async () => {
    const [one, other] = [createMetrics(), createMetrics()];
    one.gauge("holdfast_subscribers").set(3);
    other.gauge("holdfast_subscribers").set(5);

    expect(await one.scrape()).toContain("holdfast_subscribers 3\n");
    expect(await other.scrape()).toContain("holdfast_subscribers 5\n");
  });

  it("that are read at a scrape are read at each scrape", async () => {
    const metrics = createMetrics();
    const subscribers = metrics.gauge("holdfast_subscribers");
    let count = 0;
    metrics.beforeScrape(async () => {
      count += 1;
      subscribers.set(count);
    });

    await metrics.scrape();

    expect(await metrics.scrape()).toContain("holdfast_subscribers 2\n");
  });

  it("have labels of closed sets only", () => {
    const closed = ["code", "effect", "method", "outcome", "queue", "route", "schedule", "state", "status"];
    const labels = Object.values(metricDefinitions).flatMap((definition) => [...definition.labels]);
    expect(new Set(labels)).toEqual(new Set([...closed, "transition", "type"]));
  });
});

describe("a name of a closed set", () => {
  it("is its own label; all others are `other`", () => {
    const label = closedSet(["a", "b"]);

    expect(label("a")).toBe("a");
    for (const name of ["", "c", "__proto__", "toString", "a\n"]) expect(label(name)).toBe("other");
  });
});

import { describe, expect, it } from "vitest";
import { metricDefinitions } from "./metric-definitions.ts";
import { byKnownName, createMetrics } from "./metrics.ts";

describe("metrics", () => {
  it("are told from when somebody takes them, with those of the process", async () => {
    const metrics = createMetrics();
    metrics.counter("holdfast_submissions_total").labels("a", "accepted").inc();

    const text = await metrics.scrape();

    expect(text).toContain('holdfast_submissions_total{type="a",outcome="accepted"} 1\n');
    expect(text).toMatch(/^process_cpu_seconds_total \d/m);
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds \d/m);
    expect(text).not.toContain("holdfast_attempts_total");
  });

  it("of two parts of one process do not mix", async () => {
    const [one, other] = [createMetrics(), createMetrics()];
    one.gauge("holdfast_followers").labels().set(3);
    other.gauge("holdfast_followers").labels().set(5);

    expect(await one.scrape()).toContain("holdfast_followers 3\n");
    expect(await other.scrape()).toContain("holdfast_followers 5\n");
  });

  it("that are read when they are asked for are read at each scrape", async () => {
    const metrics = createMetrics();
    const subscribers = metrics.gauge("holdfast_followers").labels();
    let count = 0;
    metrics.beforeScrape(async () => {
      count += 1;
      subscribers.set(count);
    });

    await metrics.scrape();

    expect(await metrics.scrape()).toContain("holdfast_followers 2\n");
  });

  it("are taken by labels of closed sets alone", () => {
    const closed = ["code", "effect", "method", "outcome", "queue", "route", "schedule", "state", "status"];
    const labels = Object.values(metricDefinitions).flatMap((definition) => [...definition.labels]);
    expect(new Set(labels)).toEqual(new Set([...closed, "transition", "type"]));
  });
});

describe("a name of a closed set", () => {
  it("is told from all others, which are one", () => {
    const of = byKnownName(["a", "b"], (name) => ({ name }));

    expect(of("a")).toEqual({ name: "a" });
    expect(of("b")).toBe(of("b"));
    for (const name of ["", "c", "__proto__", "toString", "a\n"]) expect(of(name)).toBe(of("other"));
    expect(of("other")).toEqual({ name: "other" });
  });
});

import { describe, expect, it } from "vitest";
import { closedSet, createMetrics, type MetricDefinitions } from "./metrics.ts";

const definitions = {
  sent_total: { kind: "counter", labels: ["type", "outcome"], help: "Sent.", reportedBy: ["api"] },
  refused_total: { kind: "counter", labels: [], help: "Refused.", reportedBy: ["api"] },
  subscribers: { kind: "gauge", labels: [], help: "Subscribers.", reportedBy: ["api"] },
} as const satisfies MetricDefinitions;

describe("metrics", () => {
  it("are reported once a part has created them, with those of the process", async () => {
    const metrics = createMetrics();
    metrics.of(definitions).counter("sent_total").inc({ type: "a", outcome: "accepted" });

    const text = await metrics.scrape();

    expect(text).toContain('sent_total{type="a",outcome="accepted"} 1\n');
    expect(text).toMatch(/^process_cpu_seconds_total \d/m);
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds \d/m);
    expect(text).not.toContain("refused_total");
  });

  it("of two roles in one process do not mix", async () => {
    const [one, other] = [createMetrics(), createMetrics()];
    one.of(definitions).gauge("subscribers").set(3);
    other.of(definitions).gauge("subscribers").set(5);

    expect(await one.scrape()).toContain("subscribers 3\n");
    expect(await other.scrape()).toContain("subscribers 5\n");
  });

  it("that are read at a scrape are read at each scrape", async () => {
    const metrics = createMetrics();
    const subscribers = metrics.of(definitions).gauge("subscribers");
    let count = 0;
    metrics.beforeScrape(async () => {
      count += 1;
      subscribers.set(count);
    });

    await metrics.scrape();

    expect(await metrics.scrape()).toContain("subscribers 2\n");
  });
});

describe("a name of a closed set", () => {
  it("is its own label; all others are `other`", () => {
    const label = closedSet(["a", "b"]);

    expect(label("a")).toBe("a");
    for (const name of ["", "c", "__proto__", "toString", "a\n"]) expect(label(name)).toBe("other");
  });
});

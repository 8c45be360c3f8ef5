import { describe, expect, it } from "vitest";
import { mergeMetrics, parseMetrics, printMetrics } from "./merge-metrics.ts";

const told = (...lines: string[]) => parseMetrics(`${lines.join("\n")}\n`);
const counted = (count: number) =>
  told(
    "# HELP holdfast_attempts_total Attempts.",
    "# TYPE holdfast_attempts_total counter",
    `holdfast_attempts_total{type="a b",code=""} ${count}`,
  );
const gauge = (name: string, value: number) =>
  told(`# HELP ${name} A gauge.`, `# TYPE ${name} gauge`, `${name} ${value}`);
const merged = (...parts: Parameters<typeof mergeMetrics>) => printMetrics(mergeMetrics(...parts));

describe("the metrics of several processes", () => {
  it("are those of the only one, where there is one", () => {
    expect(merged([counted(3)], [])).toBe(printMetrics(counted(3)));
  });

  it("add up what was counted", () => {
    expect(merged([counted(3), counted(4)], [])).toContain('holdfast_attempts_total{type="a b",code=""} 7\n');
  });

  it("add up histograms, bucket by bucket", () => {
    const lines = ['h_bucket{le="1"} 2', 'h_bucket{le="+Inf"} 3', "h_sum 4.5", "h_count 3"];
    const histogram = told("# HELP h Sizes.", "# TYPE h histogram", ...lines);

    expect(merged([histogram, histogram], [])).toBe(
      '# HELP h Sizes.\n# TYPE h histogram\nh_bucket{le="1"} 4\nh_bucket{le="+Inf"} 6\nh_sum 9\nh_count 6\n',
    );
  });

  it("tell what is in the store once, and what each has a part of together", () => {
    const both = (name: string) => merged([gauge(name, 3), gauge(name, 5)], []);

    expect(both("holdfast_workers")).toContain("holdfast_workers 5\n");
    expect(both("nodejs_eventloop_lag_p99_seconds")).toContain("nodejs_eventloop_lag_p99_seconds 5\n");
    expect(both("holdfast_followers")).toContain("holdfast_followers 8\n");
    expect(both("process_resident_memory_bytes")).toContain("process_resident_memory_bytes 8\n");
    expect(both("holdfast_store_up")).toContain("holdfast_store_up 3\n");
  });

  it("still count what those counted that are gone, and no more tell how they were", () => {
    expect(merged([counted(3)], [counted(4)])).toContain("} 7\n");
    expect(merged([gauge("holdfast_followers", 3)], [gauge("holdfast_followers", 9)])).toContain(" 3\n");
  });
});

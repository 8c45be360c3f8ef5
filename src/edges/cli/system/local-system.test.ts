import { describe, expect, it } from "vitest";
import { laterMetricsPort } from "./local-system.ts";

describe("the port for the metrics of scheduler and API", () => {
  it.each([
    { port: undefined, later: 1, next: {} },
    { port: 0, later: 1, next: {} },
    { port: 9_464, later: 1, next: { HOLDFAST_METRICS_PORT: "9465" } },
    { port: 9_464, later: 2, next: { HOLDFAST_METRICS_PORT: "9466" } },
    { port: 65_535, later: 1, next: { HOLDFAST_METRICS_PORT: "0" } },
  ] as const)("is not the worker's: $port, $later later", ({ port, later, next }) => {
    expect(laterMetricsPort(port, later)).toEqual(next);
  });
});

import { describe, expect, it } from "vitest";
import { nextMetricsPort } from "./children.ts";

describe("the port for the scheduler's metrics", () => {
  it.each([
    { port: undefined, next: {} },
    { port: 0, next: {} },
    { port: 9_464, next: { HOLDFAST_METRICS_PORT: "9465" } },
    { port: 65_535, next: { HOLDFAST_METRICS_PORT: "0" } },
  ])("is not the worker's: $port", ({ port, next }) => {
    expect(nextMetricsPort(port)).toEqual(next);
  });
});

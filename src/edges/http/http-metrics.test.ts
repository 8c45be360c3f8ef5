import { expect, it } from "vitest";
import { everyMetric } from "../../../test/support/metric-definitions.ts";

it("metrics have labels of closed sets only", () => {
  const closed = ["code", "effect", "method", "outcome", "queue", "route", "schedule", "state", "status"];
  const labels = Object.values(everyMetric).flatMap((definition) => [...definition.labels]);
  expect(new Set(labels)).toEqual(new Set([...closed, "transition", "type"]));
});

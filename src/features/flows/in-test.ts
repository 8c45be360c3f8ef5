import type { FeatureInTest } from "../../core/feature.ts";
import { failureOf } from "../../core/job/failure.ts";
import { newJobId } from "../../core/job/job-id.ts";
import { givenChildren } from "./children.ts";
import type { Child, GivenChild } from "./flow.ts";

/** Gives a handler in a test the children that the test names. */
export const inTest: FeatureInTest = ({ children = [] }, asStored) => {
  const childOf = ({ type, name, result, error }: GivenChild, index: number): Child => {
    const id = newJobId("default", index.toString(16).padStart(12, "0"));
    const place = { id, type, name: name ?? String(index), index };
    return error === undefined
      ? { ...place, state: "completed", result: asStored(result) }
      : { ...place, state: "failed", error: failureOf(error) };
  };
  return { given: (_, abort) => givenChildren(() => [children.map(childOf)], abort) };
};

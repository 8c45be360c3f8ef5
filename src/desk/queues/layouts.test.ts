import { expect, it } from "vitest";
import { changedLayout } from "./layouts.ts";

it("a layout names a number that comes again once", () => {
  expect(changedLayout("", 8)).toBe("8 1");
  expect(changedLayout("8 1", 4)).toBe("4 8 1");
  expect(changedLayout("4 8 1", 8)).toBe("8 4 1");
});

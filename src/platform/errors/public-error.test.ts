import { HoldfastError } from "holdfast";
import { expect, it, vi } from "vitest";
import { HoldfastError as OwnError } from "./holdfast-error.ts";

vi.resetModules();
const copy = await import("holdfast");
const { HoldfastError: OwnErrorOfCopy } = await import("./holdfast-error.ts");

it("recognises what any copy of the package throws, as a bundler makes copies", () => {
  const thrown = [OwnError, OwnErrorOfCopy, HoldfastError, copy.HoldfastError].map(
    (of) => new of("STORE_FULL", "full"),
  );
  expect(OwnErrorOfCopy).not.toBe(OwnError);
  for (const error of thrown)
    expect([error instanceof HoldfastError, error instanceof copy.HoldfastError]).toEqual([true, true]);
});

it("takes nothing else for one of Holdfast's", () => {
  class Special extends HoldfastError {}
  const others = [new Error("STORE_FULL"), { code: "STORE_FULL", name: "HoldfastError" }, null, "STORE_FULL"];
  for (const other of others) expect(other instanceof HoldfastError).toBe(false);
  expect(new OwnError("STORE_FULL", "full") instanceof Special).toBe(false);
  expect(new Special("STORE_FULL", "full") instanceof HoldfastError).toBe(true);
});

it("lets Holdfast itself believe only its own copy's", () => {
  expect(new copy.HoldfastError("STORE_FULL", "full") instanceof OwnError).toBe(false);
});

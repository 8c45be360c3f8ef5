import { expect, it } from "vitest";
import { slotOf } from "./slot.ts";

it("finds the slots that CLUSTER KEYSLOT replies", () => {
  expect(slotOf("123456789")).toBe(12_739);
  expect(slotOf("holdfast:{mails}:wait")).toBe(slotOf("mails"));
  expect(slotOf("a{}b{mails}")).not.toBe(slotOf("mails"));
});

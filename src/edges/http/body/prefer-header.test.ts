import { describe, expect, it } from "vitest";
import { preferredWaitSeconds } from "./prefer-header.ts";

describe("the Prefer header", () => {
  it.each([
    ["wait=10", 10],
    ["wait=0", 0],
    ["WAIT=10", 10],
    [" wait = 10 ", 10],
    ['wait="10"', 10],
    ["wait=10; strictly", 10],
    ["respond-async, wait=10", 10],
    ['return="a, wait=5", wait=10', 10],
    ['note="say \\"hi\\", wait=5", wait=10', 10],
    ["wait=10, wait=20", 10],
  ])("says how long to wait: %s", (header, seconds) => {
    expect(preferredWaitSeconds(header)).toBe(seconds);
  });

  it.each(["wait=61", "wait=100000", `wait=${"9".repeat(400)}`])(
    "caps longer waits at a minute: %s",
    (header) => {
      expect(preferredWaitSeconds(header)).toBe(60);
    },
  );

  it.each([
    "",
    "wait",
    "wait=",
    "wait=soon",
    "wait=-1",
    "wait=1.5",
    "wait=1e1",
    "wait=0x10",
    'wait="10',
    "wait=10 20",
    "wait=ten, wait=10",
    "waiting=10",
    "await=10",
    "return=minimal; wait=10",
    "respond-async",
    "=10",
    `${"x,".repeat(1_000)}wait=10`,
  ])("is ignored if it is not valid: %s", (header) => {
    expect(preferredWaitSeconds(header)).toBeUndefined();
  });

  it("is parsed quickly, whatever it holds", () => {
    const before = process.cpuUsage(); // other tests run beside this one
    for (const part of ['"', '\\"', '"\\', ",", " ", "wait ", '"",']) {
      preferredWaitSeconds(part.repeat(1_024 / part.length));
    }
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(100);
  });
});

import { randomFill } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { withDeadline } from "./deadline.ts";

const late = () => new TypeError("late");

describe("a deadline", () => {
  it("lets through what comes in time, be it a result or a failure", async () => {
    await expect(withDeadline(Promise.resolve(1), 60_000, late)).resolves.toBe(1);
    await expect(withDeadline(Promise.reject(new RangeError("no")), 60_000, late)).rejects.toThrow("no");
  });

  it("ends the wait for what never comes", async () => {
    await expect(withDeadline(new Promise(() => {}), 10, late)).rejects.toThrow("late");
  });

  it("lets through what has arrived in time while the process was busy", async () => {
    await setImmediate(); // then Node.js looks for timers before it looks for what has arrived
    const bytes = Buffer.alloc(8);
    const waited = withDeadline(promisify(randomFill)(bytes), 10, late);
    while (bytes.every((byte) => byte === 0)); // another thread fills it, however late on a busy machine
    const filledAt = performance.now();
    while (performance.now() - filledAt < 100);

    await expect(waited).resolves.toBe(bytes);
  });

  it("ignores a failure that comes after it", async () => {
    let fail = (_: Error) => {};
    const work = new Promise<never>((_, reject) => {
      fail = reject;
    });

    await expect(withDeadline(work, 10, late)).rejects.toThrow("late");
    fail(new RangeError("would be an unhandled rejection"));
    await expect(work).rejects.toThrow(RangeError);
  });
});

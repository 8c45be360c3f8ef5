import { randomFill } from "node:crypto";
import { once } from "node:events";
import { setImmediate } from "node:timers/promises";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { Abort } from "./abort.ts";
import { underDeadline, withDeadline } from "./deadline.ts";

const late = () => new TypeError("late");

const longMs = 60_000;
const never = new Abort();
const untilAborted = ({ signal }: Abort) => once(signal, "abort");
const forEver = () => new Promise<never>(() => {});

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

describe("work under a deadline", () => {
  it("gives its result, and leaves nothing behind", async () => {
    const outer = new Abort();
    let abort = never;

    const result = await underDeadline(outer, longMs, late, async (given) => {
      abort = given;
      return "done";
    });
    outer.abort("over");

    expect(result).toBe("done");
    expect(abort.aborted).toBe(false);
  });

  it("fails with its own error", async () => {
    const failure = new TypeError("no such thing");

    await expect(underDeadline(never, longMs, late, () => Promise.reject(failure))).rejects.toBe(failure);
  });

  it("has its signal aborted when the time is up", async () => {
    const work = underDeadline(never, 20, late, async (abort) => {
      await untilAborted(abort);
      throw new TypeError("interrupted");
    });

    await expect(work).rejects.toThrow("late");
  });

  it("is not waited for any longer when it ignores its signal", async () => {
    await expect(underDeadline(never, 20, late, forEver)).rejects.toThrow("late");
  });

  it("has timed out even if it returned something after its signal", async () => {
    const work = underDeadline(never, 20, late, async (abort) => {
      await untilAborted(abort);
      return "too late";
    });

    await expect(work).rejects.toThrow("late");
  });

  it("ends with the outer signal, and for its reason", async () => {
    const outer = new Abort();
    const reason = new TypeError("stopped");

    const work = underDeadline(outer, longMs, late, forEver);
    outer.abort(reason);

    await expect(work).rejects.toBe(reason);
  });

  it("does not begin when the outer signal was aborted before", async () => {
    const stopped = new Abort();
    stopped.abort("stopped");
    let hasBegun = false;

    const work = underDeadline(stopped, longMs, late, async () => {
      hasBegun = true;
    });

    await expect(work).rejects.toBe("stopped");
    expect(hasBegun).toBe(false);
  });
});

import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { Abort } from "./abort.ts";
import { underDeadline } from "./under-deadline.ts";

const longMs = 60_000;
const never = new Abort();
const late = () => new RangeError("late");

const untilAborted = ({ signal }: Abort) => once(signal, "abort");
const forEver = () => new Promise<never>(() => {});

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

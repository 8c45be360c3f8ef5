import { describe, expect, it, vi } from "vitest";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { createHolds, type Hold, type Holds } from "./hold.ts";

const lockMs = 60_000;
const lockLost = expect.objectContaining({ code: "LOCK_LOST" });

function taken(holds: Holds, jobId: string): Hold {
  const hold = holds.take(jobId);
  if (hold === undefined) throw new Error("It is held already");
  return hold;
}

describe("a hold", () => {
  it("is the only one of its job until it is released", () => {
    const holds = createHolds(lockMs);
    taken(holds, "a");

    expect(holds.take("a")).toBeUndefined();
    taken(holds, "b");
    holds.release("a");
    taken(holds, "a");
  });

  it("lasts while nothing is heard of its end", () => {
    const hold = taken(createHolds(lockMs), "a");

    hold.assert();

    expect(hold.signal.aborted).toBe(false);
  });

  it("ends when its lock is lost, and no other hold with it", () => {
    const holds = createHolds(lockMs);
    const [lost, kept] = [taken(holds, "a"), taken(holds, "b")];

    holds.lost(["a", "unknown"]);

    expect(lost.signal.reason).toEqual(lockLost);
    expect(() => lost.assert()).toThrow(lockLost);
    kept.assert();
  });

  it("ends when the worker stops, with the reason of the stop", () => {
    const holds = createHolds(lockMs);
    const hold = taken(holds, "a");
    const reason = new HoldfastError("WORKER_STOPPING", "stopping");

    holds.abortAll(reason);

    expect(() => hold.assert()).toThrow(reason);
  });

  it("keeps the first reason of its end", () => {
    const holds = createHolds(lockMs);
    const hold = taken(holds, "a");

    holds.lost(["a"]);
    holds.abortAll(new HoldfastError("WORKER_STOPPING", "stopping"));

    expect(hold.signal.reason).toEqual(lockLost);
  });

  it("has ended for a process that slept longer than the lock lasts, before any timer told it", async () => {
    const hold = taken(createHolds(30), "a");

    await vi.waitFor(() => expect(() => hold.assert()).toThrow(lockLost), { interval: 5 });

    expect(hold.signal.reason).toEqual(lockLost);
  });

  it("lasts for the lock's time from its latest renewal", async () => {
    const holds = createHolds(100);
    const [renewed, forgotten] = [taken(holds, "a"), taken(holds, "b")];

    await vi.waitFor(
      () => {
        holds.renewed(["a"]);
        expect(() => forgotten.assert()).toThrow(lockLost);
      },
      { interval: 5 },
    );

    renewed.assert();
  });

  it("of an attempt that was aborted has its lock still, until that is lost", () => {
    const holds = createHolds(lockMs);
    const hold = taken(holds, "a");
    holds.abort("a", new HoldfastError("CANCELLED", "cancelled"));

    expect(hold.isLocked()).toBe(true);
    holds.lost(["a"]);
    expect(hold.isLocked()).toBe(false);
  });

  it("that was released is no longer reached by what happens to its job", () => {
    const holds = createHolds(lockMs);
    const released = taken(holds, "a");

    holds.release("a");
    const next = taken(holds, "a");
    holds.lost(["a"]);

    expect(released.signal.aborted).toBe(false);
    expect(next.signal.aborted).toBe(true);
  });
});

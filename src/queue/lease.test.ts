import { describe, expect, it, vi } from "vitest";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { createLeases, type Lease, type Leases } from "./lease.ts";

const lockMs = 60_000;
const lockLost = expect.objectContaining({ code: "LOCK_LOST" });

function taken(leases: Leases, jobId: string): Lease {
  const lease = leases.take(jobId);
  if (lease === undefined) throw new Error("It is held already");
  return lease;
}

describe("a hold", () => {
  it("is the only one of its job until it is released", () => {
    const leases = createLeases(lockMs);
    taken(leases, "a");

    expect(leases.take("a")).toBeUndefined();
    taken(leases, "b");
    leases.release("a");
    taken(leases, "a");
  });

  it("lasts while nothing is heard of its end", () => {
    const lease = taken(createLeases(lockMs), "a");

    lease.assert();

    expect(lease.signal.aborted).toBe(false);
  });

  it("ends when its lock is lost, and no other hold with it", () => {
    const leases = createLeases(lockMs);
    const [lost, kept] = [taken(leases, "a"), taken(leases, "b")];

    leases.lost(["a", "unknown"]);

    expect(lost.signal.reason).toEqual(lockLost);
    expect(() => lost.assert()).toThrow(lockLost);
    kept.assert();
  });

  it("ends when the worker stops, with the reason of the stop", () => {
    const leases = createLeases(lockMs);
    const lease = taken(leases, "a");
    const reason = new HoldfastError("WORKER_STOPPING", "stopping");

    leases.abortAll(reason);

    expect(() => lease.assert()).toThrow(reason);
  });

  it("keeps the first reason of its end", () => {
    const leases = createLeases(lockMs);
    const lease = taken(leases, "a");

    leases.lost(["a"]);
    leases.abortAll(new HoldfastError("WORKER_STOPPING", "stopping"));

    expect(lease.signal.reason).toEqual(lockLost);
  });

  it("has ended for a process that slept longer than the lock lasts, before any timer told it", async () => {
    const lease = taken(createLeases(30), "a");

    await vi.waitFor(() => expect(() => lease.assert()).toThrow(lockLost), { interval: 5 });

    expect(lease.signal.reason).toEqual(lockLost);
  });

  it("lasts for the lock's time from its latest renewal", async () => {
    const leases = createLeases(100);
    const [renewed, forgotten] = [taken(leases, "a"), taken(leases, "b")];

    await vi.waitFor(
      () => {
        leases.renewed(["a"]);
        expect(() => forgotten.assert()).toThrow(lockLost);
      },
      { interval: 5 },
    );

    renewed.assert();
  });

  it("of an attempt that was aborted has its lock still, until that is lost", () => {
    const leases = createLeases(lockMs);
    const lease = taken(leases, "a");
    leases.abort("a", new HoldfastError("CANCELLED", "cancelled"));

    expect(lease.isLocked()).toBe(true);
    leases.lost(["a"]);
    expect(lease.isLocked()).toBe(false);
  });

  it("that was released is no longer reached by what happens to its job", () => {
    const leases = createLeases(lockMs);
    const released = taken(leases, "a");

    leases.release("a");
    const next = taken(leases, "a");
    leases.lost(["a"]);

    expect(released.signal.aborted).toBe(false);
    expect(next.signal.aborted).toBe(true);
  });
});

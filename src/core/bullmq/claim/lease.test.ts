import { setImmediate as endOfTurn } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { type Lease, Leases } from "./lease.ts";

const lockMs = 60_000;
const lockLost = expect.objectContaining({ code: "LOCK_LOST" });

function claimed(leases: Leases, jobId: string): Lease {
  const lease = leases.claim(jobId);
  if (lease === undefined) throw new Error("It is claimed already");
  return lease;
}

describe("a lease", () => {
  it("is the only one of its job until it is released", () => {
    const leases = new Leases(lockMs);
    claimed(leases, "a");

    expect(leases.claim("a")).toBeUndefined();
    claimed(leases, "b");
    leases.release("a");
    claimed(leases, "a");
  });

  it("lasts while nothing ends it", () => {
    const lease = claimed(new Leases(lockMs), "a");

    lease.assert();

    expect(lease.signal.aborted).toBe(false);
  });

  it("ends when its lock is lost, and no other lease with it", () => {
    const leases = new Leases(lockMs);
    const [lost, kept] = [claimed(leases, "a"), claimed(leases, "b")];

    leases.lost(["a", "unknown"]);

    expect(lost.signal.reason).toEqual(lockLost);
    expect(() => lost.assert()).toThrow(lockLost);
    kept.assert();
  });

  it("has its refused reports answered before an attempt's end is sent again, in whatever way", async () => {
    const lease = claimed(new Leases(lockMs), "a");
    const order: string[] = [];
    const answers: (() => void)[] = [];
    const report = () => new Promise<void>((resolve) => answers.push(resolve));
    lease.endsAfter(report().then(() => order.push("answered")));
    lease.endsAfter(report().then(() => Promise.reject(new Error("refused for good"))));

    const end = lease.reported().then(() => order.push("end"));
    answers[0]?.();
    await endOfTurn();
    expect(order).toEqual(["answered"]);
    answers[1]?.();
    await end;

    expect(order).toEqual(["answered", "end"]);
  });

  it("ends when the worker stops, with the reason of the stop", () => {
    const leases = new Leases(lockMs);
    const lease = claimed(leases, "a");
    const reason = new HoldfastError("WORKER_STOPPING", "stopping");

    leases.abortAll(reason);

    expect(() => lease.assert()).toThrow(reason);
  });

  it("keeps the first reason", () => {
    const leases = new Leases(lockMs);
    const lease = claimed(leases, "a");

    leases.lost(["a"]);
    leases.abortAll(new HoldfastError("WORKER_STOPPING", "stopping"));

    expect(lease.signal.reason).toEqual(lockLost);
  });

  it("has ended for a process that was paused longer than the lock lasts, before any timer fires", async () => {
    const lease = claimed(new Leases(30), "a");

    await vi.waitFor(() => expect(() => lease.assert()).toThrow(lockLost), { interval: 5, timeout: 20_000 });

    expect(lease.signal.reason).toEqual(lockLost);
  });

  it("has a signal that knows of such a pause, too", () => {
    const { signal } = claimed(new Leases(5), "a");
    const pausedUntil = performance.now() + 10;
    while (performance.now() < pausedUntil);

    expect(signal.aborted).toBe(true);

    expect(signal.reason).toEqual(lockLost);
  });

  it("lasts for the lock's time from its latest renewal", async () => {
    const leases = new Leases(100);
    const [renewed, forgotten] = [claimed(leases, "a"), claimed(leases, "b")];

    await vi.waitFor(
      () => {
        leases.renewed(["a"]);
        expect(() => forgotten.assert()).toThrow(lockLost);
      },
      { interval: 5, timeout: 20_000 },
    );

    renewed.assert();
  });

  it("of an aborted attempt keeps its lock, until that is lost", () => {
    const leases = new Leases(lockMs);
    const lease = claimed(leases, "a");
    leases.get("a")?.abort(new HoldfastError("CANCELLED", "cancelled"));

    expect(lease.isLocked()).toBe(true);
    leases.lost(["a"]);
    expect(lease.isLocked()).toBe(false);
  });

  it("that was released is not affected by its job any more", () => {
    const leases = new Leases(lockMs);
    const released = claimed(leases, "a");

    leases.release("a");
    const next = claimed(leases, "a");
    leases.lost(["a"]);

    expect(released.signal.aborted).toBe(false);
    expect(next.signal.aborted).toBe(true);
  });

  it("knows the faults that were made for its attempt, and why it was aborted, from all others", () => {
    const leases = new Leases(lockMs);
    const [lease, other] = [claimed(leases, "a"), claimed(leases, "b")];
    const fault = lease.own(new HoldfastError("EFFECT_BUSY", "busy"));
    expect([lease.isOwn(fault), other.isOwn(fault)]).toEqual([true, false]);

    const reason = new HoldfastError("WORKER_STOPPING", "stopping");
    lease.abort(reason);

    expect([lease.isOwn(reason), other.isOwn(reason)]).toEqual([true, false]);
  });

  it("has ended for all who wait once its attempt is finished, and not before", async () => {
    const leases = new Leases(lockMs);
    const lease = claimed(leases, "a");
    const order: string[] = [];
    void lease.ended().then(() => order.push("it has"));
    void leases.allEnded().then(() => order.push("all have"));
    await endOfTurn();
    expect(order).toEqual([]);

    leases.release("a");
    await endOfTurn();

    expect(order).toEqual(["it has", "all have"]);
  });

  it("looks for a rejection that nobody handles only where something was rejected, whatever it was", async () => {
    const lease = claimed(new Leases(lockMs), "a");
    expect(lease.unawaited()).toBeUndefined();

    for (const thrown of ["a text", null, new Error("an error")]) lease.rejected("effect", "a", thrown);

    const unawaited = lease.unawaited();
    expect(unawaited).toBeInstanceOf(Promise);
    expect(await unawaited).toBeUndefined();
  });
});

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type SlotShare, Slots } from "./slots.ts";

/** Longer than a partition's turn. */
const TURN_MS = 30;

function take(share: SlotShare, count: number): void {
  for (let left = count; left > 0; left -= 1) expect(share.take()).toBe(true);
}

function twoShares(size: number) {
  const slots = new Slots(size);
  return { slots, first: slots.share(), second: slots.share() };
}

describe("the slots of a queue's partitions", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("stay where they are while the partition that waits for another one has as many", async () => {
    const { slots, first, second } = twoShares(4);
    take(first, 2);
    take(second, 2);
    expect([first.take(), second.take()]).toEqual([false, false]);

    vi.advanceTimersByTime(TURN_MS);

    expect([first.yield(), second.yield()]).toEqual([false, false]);
    expect(slots.used).toBe(4);
  });

  it("do not go to and fro where they cannot be shared out evenly", async () => {
    const { first, second } = twoShares(5);
    take(first, 3);
    take(second, 2);
    expect([first.take(), second.take()]).toEqual([false, false]);

    vi.advanceTimersByTime(TURN_MS);

    expect([first.yield(), second.yield()]).toEqual([false, false]);
  });

  it("go in turn where there are fewer than partitions", async () => {
    const { first, second } = twoShares(1);
    take(first, 1);
    expect(second.take()).toBe(false);

    vi.advanceTimersByTime(TURN_MS);

    expect(first.yield()).toBe(true);
  });

  it("go to a partition that has fewer, once it has waited for its turn", async () => {
    const { first, second } = twoShares(4);
    take(first, 4);
    expect(second.take()).toBe(false);
    expect(first.yield()).toBe(false);

    vi.advanceTimersByTime(TURN_MS);
    expect(first.yield()).toBe(true);
    first.releaseYielded();

    expect(await second.untilKept(0)).toBe(true);
    expect(second.take()).toBe(true);
    expect(first.yield()).toBe(false);
  });

  it("are not given up by more attempts than it needs, though many end at once", async () => {
    const slots = new Slots(12);
    const [first, second, third] = [slots.share(), slots.share(), slots.share()];
    take(first, 5);
    take(second, 5);
    take(third, 2);
    expect(third.take()).toBe(false);
    vi.advanceTimersByTime(TURN_MS);

    const yielded = [first, second, first, second, first, second].filter((share) => share.yield());

    expect(yielded.length).toBe(2);
    for (const share of yielded) {
      share.releaseYielded();
      expect(third.take()).toBe(true);
      expect(third.take()).toBe(false);
    }
    vi.advanceTimersByTime(TURN_MS);
    expect([first.yield(), second.yield()]).toEqual([false, false]);
    expect(slots.used).toBe(12);
  });

  it("are kept for the partition that has the fewest, whoever waits longer", async () => {
    const slots = new Slots(3);
    const [first, second, third] = [slots.share(), slots.share(), slots.share()];
    take(first, 2);
    take(second, 1);
    expect([second.take(), third.take()]).toEqual([false, false]);

    first.release();

    expect(third.take()).toBe(true);
    expect(second.take()).toBe(false);
  });

  it("wake a partition that waits for one, and not one that waits for none", async () => {
    const { first, second } = twoShares(1);
    take(first, 1);
    expect(await second.untilKept(60_000)).toBe(false);
    expect(second.take()).toBe(false);
    const kept = second.untilKept(60_000);

    first.release();

    expect(await kept).toBe(true);
  });

  it("are given back by a partition that leaves, which then waits no longer", async () => {
    const { slots, first, second } = twoShares(1);
    take(first, 1);
    expect(second.take()).toBe(false);
    const kept = second.untilKept(60_000);
    first.release();
    second.leave();

    await kept;
    expect(slots.used).toBe(0);
    expect(first.take()).toBe(true);
  });
});

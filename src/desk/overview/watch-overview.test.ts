import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Overview } from "./overview.ts";
import { openOverviewWatch } from "./watch-overview.ts";

/** A look takes so long. */
const READ_MS = 100;

function start() {
  let looks = 0;
  const reader = {
    async read() {
      looks += 1;
      const at = String(looks);
      await new Promise((resolve) => setTimeout(resolve, READ_MS)); // what a read takes
      return { at } as Overview;
    },
    clearHistory: () => {},
  };
  const watch = openOverviewWatch(reader);
  const seen: string[] = [];
  return { watch, seen, look: () => watch.onView(({ at }) => seen.push(at)) };
}

describe("the watched overview", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is looked at again at once after somebody has done something, and then as before", async () => {
    const { watch, seen, look } = start();
    look();
    await vi.advanceTimersByTimeAsync(2_000 + READ_MS);
    expect(seen).toEqual(["1"]);
    await vi.advanceTimersByTimeAsync(600);
    watch.changed();
    await vi.advanceTimersByTimeAsync(READ_MS + 1);
    expect(seen).toEqual(["1", "2"]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(seen).toEqual(["1", "2"]);
    await watch.stop();
  });

  it("is looked at once more where it was changed during a look, and twice a second at most", async () => {
    const { watch, seen, look } = start();
    look();
    await vi.advanceTimersByTimeAsync(2_000 + READ_MS / 2);
    watch.changed();
    for (let times = 0; times < 50; times += 1) {
      await vi.advanceTimersByTimeAsync(10);
      watch.changed();
    }
    expect(seen).toEqual(["1"]);
    await vi.advanceTimersByTimeAsync(500);
    expect(seen).toEqual(["1", "2"]);
    await watch.stop();
  });

  it("is what was seen after the change, also for who comes just then", async () => {
    const { watch, seen, look } = start();
    const first = watch.read();
    await vi.advanceTimersByTimeAsync(READ_MS);
    expect((await first).at).toBe("1");
    watch.changed();
    expect((await watch.read()).at).toBe("1");
    look();
    await vi.advanceTimersByTimeAsync(500 + READ_MS);
    expect(seen).toEqual(["2"]);
    await vi.advanceTimersByTimeAsync(600);
    watch.changed();
    const later = watch.read();
    await vi.advanceTimersByTimeAsync(READ_MS);
    expect((await later).at).not.toBe("2");
    await watch.stop();
  });
});

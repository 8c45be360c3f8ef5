import { describe, expect, it } from "vitest";
import { batchByTurn } from "./batch-by-turn.ts";

/** Doubles numbers, and keeps which of them came together. */
function doubler(limits: { itemsMax: number; weightMax?: number }) {
  const batches: number[][] = [];
  const double = batchByTurn({
    ...limits,
    weightOf: (item: number) => item,
    run: async (items) => {
      batches.push([...items]);
      if (items.includes(13)) throw new RangeError("13");
      return items.map((item) => 2 * item);
    },
  });
  return { double, batches };
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("calls of one turn of the event loop", () => {
  it("are done together, and each gets its own result", async () => {
    const { double, batches } = doubler({ itemsMax: 10 });

    expect(await Promise.all([1, 2, 3].map(double))).toEqual([2, 4, 6]);
    expect(batches).toEqual([[1, 2, 3]]);
  });

  it("are not kept for those of the next", async () => {
    const { double, batches } = doubler({ itemsMax: 10 });

    const first = double(1);
    await nextTurn();
    const second = double(2);

    expect(await Promise.all([first, second])).toEqual([2, 4]);
    expect(batches).toEqual([[1], [2]]);
  });

  it("are divided where they would be too many", async () => {
    const { double, batches } = doubler({ itemsMax: 2 });

    expect(await Promise.all([1, 2, 3, 4, 5].map(double))).toEqual([2, 4, 6, 8, 10]);
    expect(batches).toEqual([[1, 2], [3, 4], [5]]);
  });

  it("are divided where they would be too heavy; one that is too heavy alone goes alone", async () => {
    const { double, batches } = doubler({ itemsMax: 10, weightMax: 10 });

    expect(await Promise.all([4, 6, 1, 50, 2].map(double))).toEqual([8, 12, 2, 100, 4]);
    expect(batches).toEqual([[4, 6], [1], [50], [2]]);
  });

  it("fail together, and no other batch with them", async () => {
    const { double } = doubler({ itemsMax: 2 });

    const outcomes = await Promise.allSettled([1, 13, 3].map(double));

    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected", "fulfilled"]);
  });
});

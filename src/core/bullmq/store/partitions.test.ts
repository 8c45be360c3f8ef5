import { describe, expect, it } from "vitest";
import { dedupKeyOf } from "../../job/dedup-key.ts";
import { Layouts, parseLayout, partitionNames, partitionOf } from "./partitions.ts";

const keys = Array.from({ length: 20_000 }, (_, index) => dedupKeyOf("order", `order-${index}`));

describe("the partition of a key", () => {
  it.each([2, 8, 64])("is each of %i about equally often", (partitions) => {
    const counts = new Map<string, number>();
    for (const key of keys) {
      const name = partitionOf("orders", partitions, key);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }

    const share = keys.length / partitions;
    expect(counts.size).toBe(partitions);
    // Five standard deviations.
    for (const count of counts.values()) expect(Math.abs(count - share)).toBeLessThan(5 * Math.sqrt(share));
  });

  it("changes only for the keys that go to a new partition", () => {
    const moved = keys.filter((key) => partitionOf("orders", 8, key) !== partitionOf("orders", 9, key));

    expect(new Set(moved.map((key) => partitionOf("orders", 9, key)))).toEqual(new Set(["orders.8"]));
    expect(Math.abs(moved.length - keys.length / 9)).toBeLessThan(5 * Math.sqrt(keys.length / 9));
  });

  it("never changes between versions of Holdfast", () => {
    const found = keys.slice(0, 8).map((key) => partitionOf("orders", 8, key));

    expect(found.join(" ")).toBe("orders.5 orders.3 orders.6 orders orders.5 orders.4 orders.6 orders.7");
  });
});

describe("a layout", () => {
  it("is read with its earlier numbers, the oldest first", () => {
    expect(parseLayout("4 8 1")).toEqual({ partitions: 4, former: [1, 8] });
    expect(parseLayout("")).toEqual({ partitions: 1, former: [] });
  });

  it("includes the partitions that the queue had before", () => {
    expect(partitionNames("orders", parseLayout("2 3"))).toEqual(["orders", "orders.1", "orders.2"]);
  });
});

describe("where a key can be claimed", () => {
  const key = keys.find((candidate) => partitionOf("orders", 8, candidate) !== "orders") ?? "";
  const now = partitionOf("orders", 8, key);

  it("is its queue alone, if that was never divided", () => {
    expect(new Layouts().homesOf({ queue: "orders", formerQueues: [] }, key)).toEqual(["orders"]);
  });

  it("is where it was before, the oldest first, then where it belongs", () => {
    const layouts = new Layouts();
    layouts.learn("orders", "8 1");
    layouts.learn("old", "2");

    expect(layouts.homesOf({ queue: "orders", formerQueues: ["old"] }, key)).toEqual([
      partitionOf("old", 2, key),
      "orders",
      now,
    ]);
  });

  it("is named once", () => {
    const layouts = new Layouts();
    layouts.learn("orders", "8 1 8");

    expect(layouts.homesOf({ queue: "orders", formerQueues: [] }, key)).toEqual(["orders", now]);
  });
});

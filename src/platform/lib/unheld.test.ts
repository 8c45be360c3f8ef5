import { describe, expect, it } from "vitest";
import { heldJson } from "./unheld.ts";

const when = new Date(0);
const deep: Record<string, unknown> = {};
for (let at = deep, depth = 0; depth < 20; depth += 1) at = at.next = { depth };

class Named extends Map {
  readonly name = "a map with a member";
}

describe("JSON that holds what it is given", () => {
  it.each([
    ["text", "a \ud800 \u2028"],
    ["numbers", { zero: -0, large: 1e300, whole: 3 }],
    ["an order of members", { b: 1, a: { d: 1, c: 2 }, 2: "two", 1: "one" }],
    ["lists", [1, [undefined], { a: [() => {}] }]],
    ["members that JSON leaves out", { not: undefined, nor: () => {}, neither: Symbol("s"), a: 1 }],
    ["instants", { when }],
    ["what says itself how it is written", { toJSON: () => ({ a: 1 }) }],
    ["a member that is named like a prototype", JSON.parse('{"__proto__":{"a":1},"b":2}')],
    ["depth", deep],
    ["no prototype", Object.assign(Object.create(null), { a: 1 })],
    ["inherited members", Object.create({ a: 1 })],
    ["members that are not enumerable", Object.defineProperty({ a: 1 }, "b", { value: Number.NaN })],
    ["nothing", undefined],
  ])("is that of JSON.stringify: %s", (_, value) => {
    expect(heldJson(value)).toBe(JSON.stringify(value));
  });

  it.each([
    ["NaN", Number.NaN, "NaN"],
    ["an infinite member", { a: { b: Number.NEGATIVE_INFINITY } }, '-Infinity, in "b"'],
    ["one behind a plain one", [{ a: 1 }, { b: Number.NaN }], 'NaN, in "b"'],
    ["a Map", new Map(), "Map"],
    ["a Map with members", { a: new Named() }, 'Map, in "a"'],
    ["a Set", { a: [new Set()] }, 'Set, in "0"'],
    ["a function", () => {}, "Function"],
    ["a symbol", Symbol("s"), "Symbol"],
  ])("is refused for %s", (_, value, what) => {
    expect(() => heldJson(value)).toThrow(new TypeError(`JSON cannot hold ${what}`));
  });

  it("asks each member once, so that none can answer twice", () => {
    let asked = 0;
    const value = {
      get a() {
        asked += 1;
        return asked === 1 ? 1 : Number.NaN;
      },
    };

    expect(heldJson(value)).toBe('{"a":1}');
    expect(asked).toBe(1);
  });

  it("throws for a circle", () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;

    expect(() => heldJson(circle)).toThrow(TypeError);
  });
});

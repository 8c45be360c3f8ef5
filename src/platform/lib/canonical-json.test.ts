import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson, jsonPointer } from "./canonical-json.ts";

function textOf(value: unknown): string {
  const written = canonicalJson(value);
  if (written.kind === "json") return written.text;
  throw new Error(`Refused: ${JSON.stringify(written.issues)}`);
}

function issuesOf(value: unknown) {
  const written = canonicalJson(value);
  return written.kind === "json" ? [] : written.issues;
}

/** A list in a list in a list…: `nested(1)` is `[]`. */
function nested(levels: number): unknown {
  return levels === 1 ? [] : [nested(levels - 1)];
}

/** The same content with the members of every object in another order. */
function reordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reordered);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, reordered(member)]),
  );
}

/** JSON as it comes out of the parser. */
const jsonOf = (maxDepth: number) =>
  fc
    .json({ maxDepth })
    .filter((text) => !/__proto__|constructor/.test(text))
    .map((text): unknown => JSON.parse(text));
const json = jsonOf(6);

describe("canonical JSON", () => {
  it("sorts members by name at every level, and keeps the order of lists", () => {
    expect(textOf({ b: [2, 1], a: { d: null, c: true } })).toBe('{"a":{"c":true,"d":null},"b":[2,1]}');
  });

  it("sorts names by their UTF-16 code units, as RFC 8785 does", () => {
    expect(textOf({ "\u{fb33}": 1, "\u{1f600}": 2, "€": 3, "\r": 4, "1": 5, ö: 6 })).toBe(
      '{"\\r":4,"1":5,"ö":6,"€":3,"😀":2,"\u{fb33}":1}',
    );
  });

  it.each([
    [-0, "0"],
    [1.0, "1"],
    [1e21, "1e+21"],
    [5e-324, "5e-324"],
    ['\u2028\u0000"', '"\u2028\\u0000\\""'],
    [Object.create(null), "{}"],
  ])("writes %j as JSON does", (value, text) => {
    expect(textOf(value)).toBe(text);
  });

  it("leaves out members that are undefined", () => {
    expect(textOf({ a: undefined, b: 1 })).toBe('{"b":1}');
  });

  it("is the same text for the same content, whatever the order of members", () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(textOf(reordered(value))).toBe(textOf(value));
      }),
    );
  });

  it("loses nothing: parsed again, it is the content that it was written from", () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(JSON.parse(textOf(value))).toStrictEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("is another text for other content", () => {
    const small = jsonOf(1);
    fc.assert(
      fc.property(small, small, (one, other) => {
        const isSame = isDeepStrictEqual(withoutMinusZero(one), withoutMinusZero(other));
        expect(textOf(one) === textOf(other)).toBe(isSame);
      }),
    );
  });
});

/** JSON knows one zero. */
function withoutMinusZero(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

describe("what JSON cannot hold", () => {
  it.each([
    ["undefined", undefined],
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["a big integer", 1n],
    ["infinity", Number.POSITIVE_INFINITY],
    ["not a number", Number.NaN],
    ["a date", new Date(0)],
    ["a map", new Map()],
    ["bytes", Buffer.from("a")],
    ["an instance of a class", new (class Payload {})()],
  ])("%s, is refused with a pointer to it", (_, value) => {
    expect(issuesOf({ "a/b~c": [1, value] })).toEqual([
      { pointer: "/a~1b~0c/1", message: "expected a JSON value" },
    ]);
  });

  it.each(["__proto__", "constructor"])("a member that is called %s is refused, as in a body", (name) => {
    expect(issuesOf(JSON.parse(`{"a":[{"${name}":{"b":1}}],"b":"${name}"}`))).toEqual([
      { pointer: `/a/0/${name}`, message: "expected no member of this name" },
    ]);
  });

  it("has at most 50 issues with bounded pointers, however much is wrong", () => {
    const issues = issuesOf({ ["n".repeat(100_000)]: Array.from({ length: 1_000 }, () => Number.NaN) });

    expect(issues).toHaveLength(50);
    expect(issues.every(({ pointer }) => pointer.length === 501)).toBe(true);
  });

  it("has all its issues at once", () => {
    expect(issuesOf({ payload: { a: Number.NaN, b: [new Date(0), "\ud800"] } })).toEqual([
      { pointer: "/payload/a", message: "expected a JSON value" },
      { pointer: "/payload/b/0", message: "expected a JSON value" },
      { pointer: "/payload/b/1", message: "expected well-formed Unicode" },
    ]);
  });

  it.each(["\ud800", "a\udfff", "\udc00\ud800"])("a lone surrogate in a string, %j, is refused", (text) => {
    expect(issuesOf({ a: text })).toEqual([{ pointer: "/a", message: "expected well-formed Unicode" }]);
  });

  it("a lone surrogate in a name is refused, with a pointer that can itself be sent", () => {
    const [issue] = issuesOf({ "\ud800": 1 });

    expect(issue).toEqual({ pointer: "/\ufffd", message: "expected well-formed Unicode" });
  });

  it("nesting of 64 levels is written, one more is refused", () => {
    expect(textOf(nested(64))).toBe("[".repeat(64) + "]".repeat(64));
    expect(issuesOf(nested(65))).toEqual([
      { pointer: "/0".repeat(64), message: "expected at most 64 levels" },
    ]);
  });

  it("nesting so deep that it would overflow the stack is refused like any other", () => {
    const deep: unknown = JSON.parse("[".repeat(100_000) + "]".repeat(100_000));

    expect(issuesOf(deep)).toHaveLength(1);
  });

  it("a ring is refused like any nesting that is too deep", () => {
    const ring: Record<string, unknown> = {};
    ring.self = ring;

    expect(issuesOf(ring)).toMatchObject([{ message: "expected at most 64 levels" }]);
  });
});

describe("a JSON pointer", () => {
  it("escapes what RFC 6901 asks for", () => {
    expect(jsonPointer(["a/b", "m~n", 0, ""])).toBe("/a~1b/m~0n/0/");
    expect(jsonPointer([])).toBe("");
  });
});

import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { messageOf, textOf, traceOf } from "./thrown.ts";

const error = new TypeError("no answer");
const fail = () => {
  throw new Error("hostile");
};
const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });

describe("what was thrown", () => {
  it.each<[string, unknown, string]>([
    ["an error in an object", { status: 502, error }, "{ status: 502, error: TypeError: no answer }"],
    ["an error in a list", [error], "[ TypeError: no answer ]"],
    ["an error three levels down", { response: { err: [error] } }, "TypeError: no answer"],
    ["an error in a map", new Map([[error, error]]), "TypeError: no answer"],
    ["an error in a set", new Set([error]), "TypeError: no answer"],
    ["an error under a symbol", { [Symbol("why")]: error }, "[Symbol(why)]: TypeError: no answer"],
    ["an error of a function", Object.assign(() => {}, { error }), "TypeError: no answer"],
    ["an error with a code", [refused], "code: 'ECONNREFUSED'"],
    ["a cause", [new Error("x", { cause: error })], "[cause]: TypeError: no answer"],
    ["several errors", [new AggregateError([error], "all")], "[errors]: [ TypeError: no answer ]"],
    ["an error of another realm", [runInNewContext("new RangeError('far')")], "RangeError: far"],
    ["an object that inherits from an error", [Object.create(error)], "no answer"],
    ["an abort", [new DOMException("late", "TimeoutError")], "late"],
    ["a getter", Object.defineProperty({}, "error", { get: fail, enumerable: true }), "[Getter]"],
    ["a proxy of an error", new Proxy(error, { get: fail }), "TypeError: no answer"],
    ["an error made an object", { name: "E", stack: error.stack }, "stack: 'TypeError: no answer'"],
    ["a message that quotes a stack", [new Error(error.stack)], "TypeError: no answer"],
  ])("is shown without a stack: %s", (_, thrown, expected) => {
    const message = messageOf(thrown);

    expect(message).toContain(expected);
    expect(message).not.toMatch(/\bat .*:\d+:\d+|shown\.test|node:|\n/);
  });

  it("is shown without a stack if it cannot be read", () => {
    const thrown = [Object.defineProperties(new Error(""), { name: { get: fail }, message: { get: fail } })];

    expect(messageOf(thrown)).not.toMatch(/shown\.test|node:/);
  });
});

describe("the causes of an error", () => {
  const answer = new Response("", { status: 402, headers: { "set-cookie": "session=1" } });

  it.each<[unknown, RegExp]>([
    [answer, /caused by: a value that is no error: Response$/],
    [{ token: "session=1" }, /caused by: a value that is no error: Object$/],
    [new Proxy({}, { get: fail }), /caused by: a value that is no error: /],
    ["no answer", /caused by: no answer$/],
    [error, /caused by: TypeError: no answer\n\s+at /],
  ])("show nothing of what is inside of one that is no error: %#", (cause, expected) => {
    const trace = traceOf(new Error("refused", { cause }));

    expect(trace).toMatch(expected);
    expect(trace).not.toContain("session=1");
  });
});

describe("a trace", () => {
  const scrub = (text: string) => text.replaceAll("secret-of-a-job", "[redacted]");

  it("keeps no half of a secret where it is cut", () => {
    const message = `${"x".repeat(3_980)}secret-of-a-job`;

    const trace = traceOf(new Error("outer", { cause: new Error(message) }), scrub);

    expect(trace.length).toBe(4_000);
    expect(traceOf(new Error(message), scrub)).not.toContain("secret");
    expect(trace).not.toContain("secret");
  });

  it("has the message and the first frames of an error with millions of lines", () => {
    const thrown = Object.assign(new Error("many"), { stack: `many\n${"    at one\n".repeat(1_000_000)}` });

    const trace = traceOf(thrown);

    expect(trace.startsWith("many\n")).toBe(true);
    expect(trace.match(/^ {4}at one$/gm)).toHaveLength(10);
  });
});

describe("a value as text", () => {
  class Money {
    readonly cents = 5;
  }
  it.each<[unknown, string]>([
    [1n, "1n"],
    [{}, "{}"],
    [[], "[]"],
    [{ a: "it's", "b c": [undefined, null] }, `{ a: "it's", 'b c': [ undefined, null ] }`],
    [{ a: { b: { c: { d: 1 }, e: [1] } } }, "{ a: { b: { c: [Object], e: [Array] } } }"],
    [new Money(), "Money { cents: 5 }"],
    [/x/g, "/x/g"],
    [Symbol("s"), "Symbol(s)"],
  ])("is like what one would write: %o", (value, expected) => {
    expect(textOf(value)).toBe(expected);
  });

  it.each<[string, unknown]>([
    ["text", { text: "x".repeat(1_000_000) }],
    ["list", new Array(1_000_000).fill(0)],
    ["message", [new Error("x".repeat(1_000_000))]],
    ["key", { ["x".repeat(1_000_000)]: 1 }],
    [
      "cycle",
      Object.assign(
        [],
        [1, 2, 3].fill(0).map((_, __, all) => all),
      ),
    ],
  ])("is cut: a long %s", (_, value) => {
    expect(textOf(value).length).toBeLessThanOrEqual(500);
  });
});

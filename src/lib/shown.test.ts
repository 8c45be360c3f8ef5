import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { messageOf, textOf } from "./thrown.ts";

const error = new TypeError("no answer");
const fail = () => {
  throw new Error("hostile");
};
const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });

describe("what was thrown", () => {
  it.each<[string, unknown, string]>([
    ["an error in an object", { status: 502, error }, "{ status: 502, error: [TypeError: no answer] }"],
    ["an error in a list", [error], "[ [TypeError: no answer] ]"],
    [
      "an error three levels down",
      { response: { err: [error] } },
      "{ response: { err: [ [TypeError: no answer] ] } }",
    ],
    [
      "an error in a map",
      new Map([[error, error]]),
      "Map { [TypeError: no answer] => [TypeError: no answer] }",
    ],
    ["an error in a set", new Set([error]), "Set { [TypeError: no answer] }"],
    ["an error under a symbol", { [Symbol("why")]: error }, "{ [Symbol(why)]: [TypeError: no answer] }"],
    [
      "an error of a function",
      Object.assign(() => {}, { error }),
      "[Function] { error: [TypeError: no answer] }",
    ],
    [
      "an error of a date",
      Object.assign(new Date(0), { error }),
      "1970-01-01T00:00:00.000Z { error: [TypeError: no answer] }",
    ],
    ["an error with a code", [refused], "[ [Error: connect ECONNREFUSED] { code: 'ECONNREFUSED' } ]"],
    ["a cause", [new Error("x", { cause: error })], "[ [Error: x] { cause: [TypeError: no answer] } ]"],
    [
      "several errors",
      [new AggregateError([error], "all")],
      "[ [AggregateError: all] { errors: [ [TypeError: no answer] ] } ]",
    ],
    ["an error of another realm", [runInNewContext("new RangeError('far')")], "[ [RangeError: far] ]"],
    ["an object that inherits from an error", [Object.create(error)], "[ [TypeError: no answer] ]"],
    ["an abort", [new DOMException("late", "TimeoutError")], "[ [TimeoutError: late]"],
    [
      "an error that cannot be read",
      [Object.defineProperties(new Error(""), { name: { get: fail }, message: { get: fail } })],
      "[ [Error] ]",
    ],
    ["a getter", Object.defineProperty({}, "error", { get: fail, enumerable: true }), "{ error: [Getter] }"],
    ["a proxy of an error", new Proxy(error, { get: fail }), "[Proxy]"],
    [
      "an error made an object",
      { name: "E", stack: error.stack },
      "{ name: 'E', stack: 'TypeError: no answer' }",
    ],
    ["a message that quotes a stack", [new Error(error.stack)], "[ [Error: TypeError: no answer] ]"],
  ])("is shown without a stack: %s", (_, thrown, expected) => {
    const message = messageOf(thrown);

    expect(message).toContain(`A value was thrown that is no error: ${expected}`);
    expect(message).not.toMatch(/\n\s*at |\\n\s*at |shown\.test|node:/);
  });

  it("is shown without a stack if it is an error whose name and message say nothing", () => {
    const thrown = Object.assign(new Error(""), { name: 42 });

    expect(messageOf(thrown)).toBe("An error was thrown without a message: [Error]");
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
    [Object.create(null), "{}"],
    [/x/g, "/x/g"],
    [Buffer.from("abc"), "Buffer"],
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

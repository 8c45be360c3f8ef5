import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PermanentError, RetryAfterError } from "../../evidence/attempt-errors.ts";
import { type ErrorCode, errorCodes } from "../../platform/errors/error-codes.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { failureOf, formatFailure, parseFailure } from "./failure.ts";

const codes = Object.keys(errorCodes) as ErrorCode[];

const fail = () => {
  throw new Error("hostile");
};
const hostile: Readonly<Record<string, () => unknown>> = {
  "an object whose toString throws": () => ({ toString: fail }),
  "an object without a prototype": () => Object.create(null),
  "a proxy whose traps throw": () => new Proxy({}, { get: fail, getPrototypeOf: fail, ownKeys: fail }),
  "a revoked proxy": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  "an error whose message is no text": () => Object.assign(new Error("x"), { message: 42 }),
  "an error whose message cannot be read": () =>
    Object.defineProperty(new Error("x"), "message", { get: fail }),
  "a frozen one of these": () =>
    Object.freeze(Object.defineProperty(new Error("x"), "message", { get: fail, configurable: false })),
  "an error whose stack is a number": () => Object.assign(new Error(""), { stack: 42 }),
  "a symbol": () => Symbol("s"),
};

describe("what a handler throws", () => {
  it.each([
    ["an error", new TypeError("no such thing"), "HANDLER_FAILED", "no such thing", true],
    ["a text", "broken", "HANDLER_FAILED", "broken", true],
    ["nothing", undefined, "HANDLER_FAILED", "A value was thrown that is no error: undefined", true],
    ["null", null, "HANDLER_FAILED", "A value was thrown that is no error: null", true],
    ["an object", { a: 1 }, "HANDLER_FAILED", "A value was thrown that is no error: { a: 1 }", true],
    ["an object with a message", { message: "broken" }, "HANDLER_FAILED", "broken", true],
    [
      "an error without a message",
      new TypeError(),
      "HANDLER_FAILED",
      "An error was thrown without a message: TypeError",
      true,
    ],
    [
      "a permanent error",
      new PermanentError("unknown customer"),
      "PERMANENT_FAILURE",
      "unknown customer",
      false,
    ],
    ["a delay before the next attempt", new RetryAfterError(50, "busy"), "HANDLER_FAILED", "busy", true],
    ["an error of ours", new HoldfastError("LOCK_LOST", "silent"), "LOCK_LOST", "silent", true],
  ])("%s, becomes a failure with a code", (_, thrown, code, message, retryable) => {
    expect(failureOf(thrown)).toEqual({ code, message, retryable });
  });

  it.each(Object.entries(hostile))("%s, becomes a text and throws nothing", (_, make) => {
    const { code, message } = failureOf(make());

    expect(code).toBe("HANDLER_FAILED");
    expect(message).toMatch(/thrown/);
  });

  it("has at most 1,000 characters", () => {
    const { message } = failureOf(new Error("x".repeat(100_000)));

    expect(message).toBe(`${"x".repeat(999)}…`);
  });

  it("becomes well-formed text", () => {
    expect(failureOf(new Error("a\ud800b")).message).toBe("a\ufffdb");
  });

  it("asks for a whole number of milliseconds, and never for a negative one", () => {
    expect(new RetryAfterError(1.9).retryAfterMs).toBe(1);
    expect(new RetryAfterError(-5).retryAfterMs).toBe(0);
  });

  it.each([
    [Number.NaN, 0],
    [Number.NEGATIVE_INFINITY, 0],
    ["50" as unknown as number, 0],
    [Number.POSITIVE_INFINITY, 31_536_000_000],
    [1e20, 31_536_000_000],
  ])("asks for no more than a year, and says so: %s becomes %i", (asked, ms) => {
    const error = new RetryAfterError(asked);

    expect(error.retryAfterMs).toBe(ms);
    expect(error.message).toBe(`The handler asked to be tried again in ${ms} ms`);
  });
});

describe("a failure kept with its job", () => {
  it("is read back as it was written", () => {
    fc.assert(
      fc.property(fc.constantFrom(...codes), fc.string({ maxLength: 900 }), (code, message) => {
        const failure = failureOf(new HoldfastError(code, message));
        expect(parseFailure(formatFailure(failure))).toEqual(failure);
      }),
    );
  });

  it("keeps every line of its message", () => {
    expect(parseFailure("HANDLER_FAILED: one\ntwo: three")).toMatchObject({ message: "one\ntwo: three" });
  });

  it.each(["job stalled more than allowable limit", "NO_SUCH_CODE: text", "toString: x", ""])(
    "of another program, %j, is shown whole as HANDLER_FAILED",
    (line) => {
      expect(parseFailure(line)).toEqual({ code: "HANDLER_FAILED", message: line, retryable: true });
    },
  );
});

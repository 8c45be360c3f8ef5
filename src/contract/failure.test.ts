import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ErrorCode, errorCodes } from "../errors/error-codes.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { PermanentError, RetryAfterError } from "./attempt-errors.ts";
import { failureOf, formatFailure, parseFailure } from "./failure.ts";

const codes = Object.keys(errorCodes) as ErrorCode[];

describe("what a handler throws", () => {
  it.each([
    ["an error", new TypeError("no such thing"), "HANDLER_FAILED", "no such thing", true],
    ["a text", "broken", "HANDLER_FAILED", "broken", true],
    ["nothing", undefined, "HANDLER_FAILED", "undefined", true],
    [
      "a permanent error",
      new PermanentError("unknown customer"),
      "PERMANENT_FAILURE",
      "unknown customer",
      false,
    ],
    ["a wish to be tried later", new RetryAfterError(50, "busy"), "HANDLER_FAILED", "busy", true],
    ["an error of ours", new HoldfastError("LOCK_LOST", "silent"), "LOCK_LOST", "silent", true],
  ])("%s, becomes a failure with a code", (_, thrown, code, message, retryable) => {
    expect(failureOf(thrown)).toEqual({ code, message, retryable });
  });

  it("is kept short", () => {
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

  it("keeps all its lines", () => {
    expect(parseFailure("HANDLER_FAILED: one\ntwo: three")).toMatchObject({ message: "one\ntwo: three" });
  });

  it.each(["job stalled more than allowable limit", "NO_SUCH_CODE: text", "toString: x", ""])(
    "that others wrote, %j, is shown whole, as the handler's own",
    (line) => {
      expect(parseFailure(line)).toEqual({ code: "HANDLER_FAILED", message: line, retryable: true });
    },
  );
});

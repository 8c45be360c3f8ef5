import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { errorCodes, isErrorCode } from "./error-codes.ts";
import { HoldfastError } from "./holdfast-error.ts";

const source = join(import.meta.dirname, "../..");
// The table of all codes is generated; their explanations follow it and are on a second page, written by hand.
const [, explained = ""] = ["errors.md", "errors-of-jobs.md"]
  .map((page) => readFileSync(join(source, "../docs", page), "utf8"))
  .join("\n")
  .split("<!-- end of generated -->");
const code = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && !file.endsWith("error-codes.ts"))
  .map((file) => readFileSync(join(source, file), "utf8"))
  .join("\n");

describe("every error code", () => {
  it.each(Object.keys(errorCodes))("is explained in docs and used in the source: %s", (name) => {
    expect(new RegExp(`^(#+|\\|) \`${name}\``, "m").test(explained)).toBe(true);
    expect(code.includes(`"${name}"`)).toBe(true);
  });

  it("answers with an HTTP status of a failure", () => {
    for (const { httpStatus } of Object.values(errorCodes)) {
      expect(httpStatus).toBeGreaterThanOrEqual(400);
      expect(httpStatus).toBeLessThan(600);
    }
  });

  it("is distinguished from other texts", () => {
    expect(isErrorCode("LOCK_LOST")).toBe(true);
    expect(isErrorCode("toString")).toBe(false);
    expect(isErrorCode("__proto__")).toBe(false);
  });
});

describe("a HoldfastError", () => {
  it("has the HTTP status and retryability of its code, and keeps its cause", () => {
    const cause = new TypeError("socket closed");

    const error = new HoldfastError("STORE_UNAVAILABLE", "away", { cause, retryAfterMs: 1_000 });

    expect(error).toMatchObject({
      statusCode: 503,
      retryable: true,
      cause,
      retryAfterMs: 1_000,
      issues: [],
    });
  });
});

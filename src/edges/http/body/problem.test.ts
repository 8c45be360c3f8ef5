import { describe, expect, it } from "vitest";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { asHoldfastError } from "./problem.ts";

describe("a problem", () => {
  it("has the members of RFC 9457", () => {
    const error = new HoldfastError("JOB_NOT_FOUND", "There is no job with this id");

    expect(error.toProblem()).toEqual({
      type: "urn:holdfast:error:JOB_NOT_FOUND",
      title: "No such job, act or guarded effect",
      status: 404,
      detail: "There is no job with this id",
      code: "JOB_NOT_FOUND",
    });
  });

  it("lists every issue", () => {
    const issues = [{ pointer: "/type", message: "expected one of a, b" }];

    expect(new HoldfastError("UNKNOWN_JOB_TYPE", "", { issues }).toProblem()).toMatchObject({
      errors: issues,
    });
  });

  it("shows neither cause nor stack", () => {
    const error = new HoldfastError("STORE_UNAVAILABLE", "away", {
      cause: new Error("redis://:hunter2@store"),
    });

    expect(JSON.stringify(error.toProblem())).not.toMatch(/hunter2|redis:|\.ts/);
  });

  it.each([
    ["an error of ours", new HoldfastError("FORBIDDEN", "no"), "FORBIDDEN"],
    ["a body that is too large", { code: "FST_ERR_CTP_BODY_TOO_LARGE", statusCode: 413 }, "BODY_TOO_LARGE"],
    ["another type of body", { code: "FST_ERR_CTP_INVALID_MEDIA_TYPE" }, "UNSUPPORTED_MEDIA_TYPE"],
    ["a path that cannot be decoded", { code: "FST_ERR_BAD_URL" }, "ROUTE_NOT_FOUND"],
    [
      "JSON that does not parse",
      Object.assign(new SyntaxError("hunter2"), { statusCode: 400 }),
      "INVALID_REQUEST",
    ],
    ["a fault of our own", new TypeError("hunter2"), "INTERNAL"],
    ["something thrown that is not an error", "hunter2", "INTERNAL"],
    ["nothing", undefined, "INTERNAL"],
    ["an error with a code from a prototype", { code: "toString" }, "INTERNAL"],
  ])("comes from %s without its text", (_, thrown, code) => {
    const problem = asHoldfastError(thrown).toProblem();

    expect(problem.code).toBe(code);
    expect(JSON.stringify(problem)).not.toContain("hunter2");
  });
});

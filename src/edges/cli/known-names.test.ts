import { describe, expect, it } from "vitest";
import { jobStates } from "../../core/job/job-state.ts";
import { requireCode, requireKnown, requireState } from "./known-names.ts";

const operator = { knownNames: async () => ({ types: ["echo", "welcome-email"], queues: ["default"] }) };

describe("a name that nothing has", () => {
  it.each([
    [
      "--state",
      () => requireState("wating", jobStates),
      '--state: there is no state "wating"; did you mean "waiting"?',
    ],
    ["--state", () => requireState("x", jobStates), /; expected one of waiting, .*delayed, /],
    ["--code", () => requireCode("HANDLER_FAILD"), /"HANDLER_FAILD"; did you mean "HANDLER_FAILED"\?/],
    ["--code", () => requireCode("NOPE"), '--code: there is no error code "NOPE"; see docs/errors.md'],
  ])("is wrong usage of %s", (_, check, message) => {
    expect(check).toThrow(
      expect.objectContaining({ code: "USAGE", message: expect.stringMatching(message) }),
    );
  });

  it("is asked of Redis, too, for types and queues", async () => {
    await requireKnown(operator, { type: "echo", queue: "default" });
    await requireKnown(operator, {});
    await expect(requireKnown(operator, { type: "ecko" })).rejects.toMatchObject({
      code: "USAGE",
      message: '--type: there is no job type "ecko"; did you mean "echo"?',
    });
    await expect(requireKnown(operator, { queue: "mails" })).rejects.toThrow("declared: default");
  });
});

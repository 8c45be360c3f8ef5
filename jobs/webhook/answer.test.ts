import { PermanentError, RetryAfterError } from "holdfast";
import { describe, expect, it } from "vitest";
import { answered, seen } from "../../test/support/seen.ts";
import { classifyAnswer, requireAccepted, retryAfterMs } from "./answer.ts";

const answer = (status: number, headers: { retryAfter?: string; location?: string } = {}) => ({
  status,
  retryAfter: headers.retryAfter,
  location: headers.location,
});

const now = Date.parse("2026-11-24T12:00:00Z");

describe("a receiver's answer", () => {
  it.each([200, 201, 202, 204, 299])("%d means that it accepted the event", (status) => {
    expect(() => requireAccepted(answer(status))).not.toThrow();
  });

  it.each([400, 401, 404, 410, 422])("%d ends the job", (status) => {
    expect(() => requireAccepted(answer(status))).toThrow(
      new PermanentError(`The receiver answered ${status}`),
    );
  });

  it.each([408, 409, 423, 425, 429, 499, 500, 502, 503, 599])("%d means another try", (status) => {
    expect(() => requireAccepted(answer(status))).toThrow(`The receiver answered ${status}`);
    expect(() => requireAccepted(answer(status))).not.toThrow(PermanentError);
  });

  it.each([408, 429, 503])("%d can say when", (status) => {
    expect(() => requireAccepted(answer(status, { retryAfter: "7" }))).toThrow(RetryAfterError);
  });

  it.each([301, 302, 307, 308])("%d ends the job, and the error says where it points", (status) => {
    const redirect = () => requireAccepted(answer(status, { location: "http://127.0.0.1:6379/" }));

    expect(redirect).toThrow(PermanentError);
    expect(redirect).toThrow(
      `The receiver answered ${status} and points to http://127.0.0.1:6379/; redirects are not followed`,
    );
  });
});

describe("what an answer proves", () => {
  const proof = (status: number, headers = {}) => {
    try {
      return requireAccepted(answer(status, headers));
    } catch (error) {
      return classifyAnswer(error, seen(answered("POST", status)));
    }
  };

  it("is that the event was not accepted, if there are too many", () => {
    expect(proof(429)).toBe("not-done");
    expect(proof(429, { retryAfter: "7" })).toBe("not-done");
  });

  it.each([408, 409, 500, 503])("is nothing after %d, also if it says when to try again", (status) => {
    expect(proof(status)).toBe("unknown");
    expect(proof(status, { retryAfter: "7" })).toBe("unknown");
  });

  it("is left to the error itself where the job ends, and where no answer came", () => {
    expect(proof(404)).toBeUndefined();
    expect(proof(307)).toBeUndefined();
    expect(classifyAnswer(new Error("lost"), seen())).toBeUndefined();
    expect(classifyAnswer("lost", seen())).toBeUndefined();
  });
});

describe("the time that a receiver asks for", () => {
  it.each([
    ["seconds", "2", 2_000],
    ["a date", "Tue, 24 Nov 2026 12:00:30 GMT", 30_000],
    ["a past date", "Tue, 24 Nov 2026 11:00:00 GMT", 1_000],
    ["nothing at all", "0", 1_000],
    ["more than an hour", "7200", 3_600_000],
    ["more than a number can hold", "9".repeat(400), 3_600_000],
    ["a date in a year", "Wed, 24 Nov 2027 12:00:00 GMT", 3_600_000],
  ])("counts as %s", (_, header, ms) => {
    expect(retryAfterMs(header, now)).toBe(ms);
  });

  it.each([undefined, "", "soon", "-5", "1.5", "2026-11-24", "Foo, bar GMT"])(
    "is undefined for %j",
    (header) => {
      expect(retryAfterMs(header, now)).toBeUndefined();
    },
  );
});

import { describe, expect, it } from "vitest";
import { answered, connection, nothing, seen, unanswered } from "../../test/support/seen.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { InDoubtError, NotDoneError, PermanentError, RetryAfterError } from "./attempt-errors.ts";
import { combine, http } from "./index.ts";
import type { Outgoing, Seen } from "./outgoing/outgoing.ts";

/** As axios 1.21.1 throws it. */
const axiosError = (status: number, headers: object = {}) =>
  Object.assign(new Error(`Request failed with status code ${status}`), {
    name: "AxiosError",
    code: status < 500 ? "ERR_BAD_REQUEST" : "ERR_BAD_RESPONSE",
    status,
    response: { status, headers, data: "" },
  });
/** As got 14.6.6 throws it. */
const gotError = (statusCode: number, headers: object = {}) =>
  Object.assign(new Error("Request failed"), {
    name: "HTTPError",
    code: "ERR_NON_2XX_3XX_RESPONSE",
    response: { statusCode, headers },
  });
/** As ky 1.14.3 throws it, and what an effect throws by hand after `fetch`. */
const kyError = (status: number, headers: Record<string, string> = {}) =>
  Object.assign(new Error("Request failed"), { response: new Response("", { status, headers }) });
const fetchError = (status: number, headers: Record<string, string> = {}) =>
  new Error("refused", { cause: new Response("", { status, headers }) });

const clients = { axios: axiosError, got: gotError, ky: kyError, fetch: fetchError };

describe.each(Object.entries(clients))("an error of %s", (_, errorOf) => {
  it.each([400, 401, 402, 403, 404, 405, 410, 412, 413, 415, 422, 428, 429, 451])(
    "%i is not done",
    (status) => {
      expect(http(errorOf(status), seen(answered("POST", status)))).toBe("not-done");
    },
  );

  it.each([408, 409, 423, 425, 499, 500, 501, 502, 503, 504, 529])("%i is unknown", (status) => {
    expect(http(errorOf(status, { "retry-after": "1" }), seen(answered("POST", status)))).toBe("unknown");
  });

  it("is unknown with an answer that says done and cannot be read", () => {
    expect(http(errorOf(200), seen(answered("POST", 200)))).toBe("unknown");
  });

  it("is not done, later, if the answer says when", () => {
    const later = (headers: Record<string, string>) =>
      http(errorOf(429, headers), seen(answered("POST", 429)));
    expect(later({ "retry-after": "7" })).toEqual({ verdict: "not-done", retryAfterMs: 7_000 });
    expect(later({ "retry-after-ms": "250", "retry-after": "7" })).toEqual({
      verdict: "not-done",
      retryAfterMs: 250,
    });
    expect(later({ "retry-after": new Date(Date.now() + 60_500).toUTCString() })).toEqual({
      verdict: "not-done",
      retryAfterMs: expect.toSatisfy((ms: number) => ms > 50_000 && ms <= 61_000),
    });
    expect(later({ "retry-after": "Fri, 01 Jan 2021 00:00:00 GMT" })).toEqual({
      verdict: "not-done",
      retryAfterMs: 0,
    });
    for (const text of ["soon", "-5", "", "1e9", "NaN"])
      expect(later({ "retry-after": text })).toBe("not-done");
  });
});

describe("a refusal proves something only together with everything else that the effect sent", () => {
  const refusedAfter = (...earlier: Outgoing[]) =>
    http(axiosError(404), seen(...earlier, answered("POST", 404)));

  it.each<[string, Outgoing]>([
    ["was not answered", unanswered("POST", "ECONNRESET")],
    ["was sent in part", { ...unanswered("POST", "EPIPE"), sent: "part" }],
    ["is still to be sent", { ...unanswered("POST", "ECONNRESET"), sent: null, ended: null }],
    ["was answered 2xx", answered("POST", 201)],
    ["was redirected", answered("POST", 307)],
    ["was answered 5xx", answered("PUT", 503)],
    ["may have been carried out before", answered("DELETE", 409)],
    ["became a socket", answered("GET", 101)],
    ["was sent over a connection that is not HTTP", connection("tls", "all")],
    [
      "failed over HTTP/2, of which no more is seen",
      { ...unanswered("POST", "UND_ERR_SOCKET"), sent: "not seen" },
    ],
    ["may be under way on an open connection", { ...connection("tls", null), ended: null }],
  ])("unknown if another request %s", (_, earlier) => {
    expect(refusedAfter(earlier)).toBe("unknown");
  });

  it.each<[string, Outgoing]>([
    ["was refused, too", answered("POST", 401)],
    ["was never sent", { ...unanswered("POST", "ECONNREFUSED"), sent: null }],
    ["only reads", answered("GET", 200)],
    ["only reads, and was not answered", unanswered("HEAD", "ECONNRESET")],
    ["only asks what is allowed", answered("OPTIONS", 204)],
    ["was a connection that was never made", { ...connection("tcp", null), ended: "ECONNREFUSED" }],
  ])("not done if each other request %s", (_, earlier) => {
    expect(refusedAfter(earlier)).toBe("not-done");
  });

  it("unknown where the refused request itself was not seen, or not everything was", () => {
    expect(http(axiosError(404), nothing)).toBe("unknown");
    expect(http(axiosError(404), seen(answered("POST", 403)))).toBe("unknown");
    expect(http(axiosError(404), { ...seen(answered("POST", 404)), isComplete: false })).toBe("unknown");
  });
});

describe("the shape of errors", () => {
  const refused = seen(answered("POST", 404));

  it("is found where libraries wrap it", () => {
    const inner = axiosError(404);
    for (const outer of [
      new Error("outer", { cause: new Error("middle", { cause: inner }) }),
      new AggregateError([new Error("other"), inner]),
      Object.assign(new Error("outer"), { originalError: inner }),
      Object.assign(new Error("outer"), { detail: inner }),
      { status: 404 },
      new Response("", { status: 404 }),
    ])
      expect(http(outer, refused)).toBe("not-done");
  });

  it("is left to others where there is no status", () => {
    const circle: { cause?: unknown } = {};
    circle.cause = circle;
    const reset = Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
    for (const thrown of [
      reset,
      new TypeError("fetch failed", { cause: reset }),
      circle,
      "404",
      404,
      null,
      undefined,
    ])
      expect(http(thrown, refused)).toBeUndefined();
    expect(http({ status: "404" }, refused)).toBeUndefined();
    expect(http({ status: 7 }, refused)).toBeUndefined();
  });

  it("never throws, whatever the error does", () => {
    const throwing = () => {
      throw new Error("no");
    };
    const hostile = new Proxy({}, { get: throwing, has: throwing, ownKeys: throwing });
    const getters = Object.defineProperties(new Error("x"), {
      status: { get: throwing },
      cause: { get: () => axiosError(404) },
    });
    expect(http(hostile, refused)).toBeUndefined();
    expect(http(getters, refused)).toBe("not-done");
    expect(http(new Proxy(axiosError(404), { getPrototypeOf: throwing }), refused)).toBe("not-done");
    for (const headers of [hostile, { get: throwing }, null, "retry-after", [["retry-after", "1"]]])
      expect(http({ status: 404, headers }, refused)).toBe("not-done");
    expect(http({ errors: Array.from({ length: 1e5 }, () => ({})) }, refused)).toBeUndefined();
    let deep: unknown = axiosError(404);
    for (let depth = 0; depth < 1_000; depth++) deep = { cause: deep };
    expect(http(deep, refused)).toBeUndefined();
  });
});

describe("Holdfast's own errors", () => {
  const refused = seen(answered("POST", 404));

  it("are never overruled by what caused them", () => {
    const cause = axiosError(500);
    for (const own of [
      new NotDoneError("declined", { cause }),
      new PermanentError("gone", { cause }),
      new RetryAfterError(5, "later", { cause }),
      new InDoubtError("who knows", { cause: axiosError(404) }),
      new HoldfastError("EFFECT_TIMED_OUT", "late", { cause: axiosError(404) }),
    ])
      expect(http(own, refused)).toBeUndefined();
  });

  it("prove a refusal if holdfast/client got one", () => {
    const unknownType = new HoldfastError("JOB_NOT_FOUND", "no such job");
    expect(http(unknownType, refused)).toBe("not-done");
    expect(http(unknownType, nothing)).toBeUndefined();
    const busy = new HoldfastError("RATE_LIMITED", "slow down", { retryAfterMs: 70 });
    expect(http(busy, seen(answered("POST", 429)))).toEqual({ verdict: "not-done", retryAfterMs: 70 });
  });
});

describe("combine", () => {
  it("asks in turn, and the first that recognises the error decides", () => {
    const asked: string[] = [];
    const first = (error: unknown) => {
      asked.push("first");
      return error === "mine" ? ("unknown" as const) : undefined;
    };
    const both = combine(first, http);
    expect(both("mine", nothing)).toBe("unknown");
    expect(both(axiosError(404), seen(answered("POST", 404)) satisfies Seen)).toBe("not-done");
    expect(both("nobody's", nothing)).toBeUndefined();
    expect(asked).toEqual(["first", "first", "first"]);
  });
});

import { describe, expect, it } from "vitest";
import { answered, connection, nothing, seen, unanswered } from "../../test/support/seen.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import type { Classify } from "./classifier.ts";
import { anthropic, aws, grpc, http, octokit, openai, stripe } from "./index.ts";

const forGood = { verdict: "not-done", permanent: true };
const later = (retryAfterMs: number) => ({ verdict: "not-done", retryAfterMs });
const reset = Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET", syscall: "read" });

const neverMade = seen({ ...connection("tcp", null), ended: "ECONNREFUSED" });

function errorWith(members: object, message = "no"): Error {
  return Object.assign(new Error(message), members);
}

/** With the answer in the error, and the request seen. */
function verdict(classify: Classify, error: unknown, status: number) {
  return classify(error, seen(answered("POST", status)));
}

it("an error of Holdfast's inside another is no answer, although it has a status", () => {
  const wrapped = new Error("not found", { cause: new HoldfastError("JOB_NOT_FOUND", "no") });

  expect(verdict(http, wrapped, 404)).toBeUndefined();
});

describe("stripe 23.1.0", () => {
  const stripeError = (type: string, statusCode?: number, more: object = {}) =>
    errorWith({
      type,
      rawType: undefined,
      statusCode,
      requestId: "req_1",
      headers: {},
      detail: undefined,
      ...more,
    });

  it("knows declined cards and invalid requests as not done, for good", () => {
    expect(verdict(stripe, stripeError("StripeCardError", 402), 402)).toEqual(forGood);
    expect(verdict(stripe, stripeError("StripeInvalidRequestError", 400), 400)).toEqual(forGood);
    expect(verdict(stripe, stripeError("StripeInvalidRequestError", 404), 404)).toEqual(forGood);
  });

  it("knows other refusals as not done", () => {
    expect(verdict(stripe, stripeError("StripeAuthenticationError", 401), 401)).toBe("not-done");
    expect(verdict(stripe, stripeError("StripePermissionError", 403), 403)).toBe("not-done");
    expect(verdict(stripe, stripeError("StripeRateLimitError", 429), 429)).toBe("not-done");
    const limited = stripeError("StripeRateLimitError", 429, { headers: { "retry-after": "2" } });
    expect(verdict(stripe, limited, 429)).toEqual(later(2_000));
    expect(verdict(stripe, stripeError("QuotaExceededError", 400, { rawType: "quota_exceeded" }), 400)).toBe(
      "not-done",
    );
  });

  it("knows that a key in use, or used for something else, proves nothing", () => {
    expect(verdict(stripe, stripeError("StripeAPIError", 409, { rawType: "idempotency_error" }), 409)).toBe(
      "unknown",
    );
    expect(verdict(stripe, stripeError("StripeIdempotencyError", 400), 400)).toBe("unknown");
  });

  it("knows nothing after a fault of Stripe's, or an answer that cannot be read", () => {
    expect(verdict(stripe, stripeError("StripeAPIError", 500), 500)).toBe("unknown");
    expect(verdict(stripe, stripeError("StripeAPIError"), 200)).toBe("unknown");
  });

  it("leaves connections to the system's error inside", () => {
    expect(
      stripe(stripeError("StripeConnectionError", undefined, { detail: reset }), nothing),
    ).toBeUndefined();
    expect(stripe(stripeError("StripeConnectionError"), nothing)).toBe("unknown");
  });

  it("is not deceived by a second try that is refused", () => {
    const sent = seen(unanswered("POST", "ECONNRESET"), answered("POST", 402));
    expect(stripe(stripeError("StripeCardError", 402), sent)).toBe("unknown");
  });
});

describe("the AWS SDK 3.1169.0", () => {
  const awsError = (name: string, httpStatusCode?: number, more: object = {}) =>
    errorWith({
      name,
      $fault: "client",
      $metadata: { httpStatusCode, attempts: 1, totalRetryDelay: 0 },
      ...more,
    });

  it("knows refusals, throttling included, as not done", () => {
    expect(verdict(aws, awsError("MessageRejected", 400), 400)).toBe("not-done");
    expect(verdict(aws, awsError("AccessDenied", 403), 403)).toBe("not-done");
    expect(verdict(aws, awsError("ThrottlingException", 400), 400)).toBe("not-done");
    const throttled = awsError("TooManyRequestsException", 429, {
      $response: { headers: { "retry-after": "3" } },
    });
    expect(verdict(aws, throttled, 429)).toEqual(later(3_000));
  });

  it("knows nothing after 5xx, a conflict, a token used for something else, or a cut off answer", () => {
    expect(verdict(aws, awsError("InternalFailure", 500), 500)).toBe("unknown");
    expect(verdict(aws, awsError("SlowDown", 503), 503)).toBe("unknown");
    expect(verdict(aws, awsError("OperationAborted", 409), 409)).toBe("unknown");
    expect(verdict(aws, awsError("IdempotentParameterMismatchException", 400), 400)).toBe("unknown");
    expect(verdict(aws, awsError("Error", 200), 200)).toBe("unknown");
  });

  it("counts a refusal only if each of the SDK's tries was seen to be refused", () => {
    const thirdTry = awsError("MessageRejected", 400, { $metadata: { httpStatusCode: 400, attempts: 3 } });
    expect(aws(thirdTry, nothing)).toBe("unknown");
    expect(aws(thirdTry, seen(answered("POST", 500), answered("POST", 400)))).toBe("unknown");
    expect(aws(thirdTry, seen(answered("POST", 429), answered("POST", 400)))).toBe("not-done");
  });

  it("disregards where the SDK fetches its credentials, and no other host", () => {
    const sent = (host: string) => seen(answered("PUT", 200, host), answered("POST", 400));
    for (const host of [
      "169.254.169.254:80",
      "169.254.170.2:80",
      "sts.eu-west-1.amazonaws.com:443",
      "sts.amazonaws.com",
    ])
      expect(aws(awsError("MessageRejected", 400), sent(host))).toBe("not-done");
    for (const host of [
      "ses.eu-west-1.amazonaws.com:443",
      "sts.example.com:443",
      "169.254.169.254.example.com",
    ])
      expect(aws(awsError("MessageRejected", 400), sent(host))).toBe("unknown");
  });

  it("leaves connections to the system's error", () => {
    const refused = awsError("Error", undefined, { code: "ECONNREFUSED", syscall: "connect" });
    expect(aws(refused, neverMade)).toBe("not-done");
    expect(aws(refused, nothing)).toBe("unknown");
    expect(aws(awsError("TimeoutError"), nothing)).toBe("unknown");
  });
});

describe("octokit 5.0.5", () => {
  const octokitError = (status: number, response?: object) =>
    errorWith({
      name: "HttpError",
      status,
      request: { method: "POST", url: "https://api.github.com" },
      response,
    });

  it("knows refusals as not done, and rate limits as not done before they end", () => {
    expect(verdict(octokit, octokitError(422, { status: 422, headers: {} }), 422)).toBe("not-done");
    const secondary = { status: 403, headers: { "retry-after": "60" } };
    expect(verdict(octokit, octokitError(403, secondary), 403)).toEqual(later(60_000));
    const reset = String(Math.ceil(Date.now() / 1_000) + 30);
    const primary = { status: 403, headers: { "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset } };
    expect(verdict(octokit, octokitError(403, primary), 403)).toEqual(
      later(expect.toSatisfy((ms: number) => ms > 20_000 && ms <= 31_000) as number),
    );
  });

  it("knows nothing after 5xx; where no answer came, its 500 is none", () => {
    expect(verdict(octokit, octokitError(502, { status: 502, headers: {} }), 502)).toBe("unknown");
    expect(octokit(Object.assign(octokitError(500), { cause: reset }), nothing)).toBeUndefined();
    expect(octokit(octokitError(500), nothing)).toBe("unknown");
  });
});

describe.each([
  ["openai 6.49.0", openai],
  ["@anthropic-ai/sdk 1.14.0", anthropic],
])("%s", (_, classify) => {
  const apiError = (status?: number, headers?: Record<string, string>) =>
    errorWith({
      status,
      headers: headers && new Headers(headers),
      requestID: undefined,
      error: { code: "bad_request" },
    });

  it("knows refusals as not done, and when to try again", () => {
    expect(verdict(classify, apiError(400, {}), 400)).toBe("not-done");
    expect(verdict(classify, apiError(429, { "retry-after-ms": "1500" }), 429)).toEqual(later(1_500));
  });

  it("knows nothing after 409, 5xx, a time-out or a broken stream", () => {
    expect(verdict(classify, apiError(409, {}), 409)).toBe("unknown");
    expect(verdict(classify, apiError(529, {}), 529)).toBe("unknown");
    expect(classify(apiError(), nothing)).toBe("unknown");
  });

  it("leaves connections to the system's error inside", () => {
    const fetchFailed = new TypeError("fetch failed", { cause: reset });
    expect(classify(Object.assign(apiError(), { cause: fetchFailed }), nothing)).toBeUndefined();
  });
});

describe("@grpc/grpc-js 1.14.7", () => {
  const oneCall = seen(answered("POST", 200));
  const grpcError = (code: number, details = "no") => errorWith({ code, details, metadata: {} });

  it.each([3, 5, 7, 8, 9, 11, 12, 16])("knows code %i as not done", (code) => {
    expect(grpc(grpcError(code), oneCall)).toBe("not-done");
    expect(grpc(grpcError(code), nothing)).toBe("unknown");
  });

  it.each([1, 2, 4, 6, 10, 13, 14, 15])("knows nothing after code %i", (code) => {
    expect(grpc(grpcError(code), oneCall)).toBe("unknown");
  });

  it("knows what its own client says of an answer that it cannot use", () => {
    expect(grpc(grpcError(8, "Received message larger than max (5000000 vs 4194304)"), oneCall)).toBe(
      "unknown",
    );
    expect(
      grpc(grpcError(8, "Received message that decompresses to a size larger than 4194304"), oneCall),
    ).toBe("unknown");
    expect(grpc(grpcError(12, "No message received"), oneCall)).toBe("unknown");
    expect(grpc(grpcError(12, "Too many responses received"), oneCall)).toBe("unknown");
    expect(grpc(grpcError(8, "Attempted to send message with a size larger than 4"), oneCall)).toBe(
      "not-done",
    );
  });

  it("knows that nothing was sent where no connection was made, whatever the text says", () => {
    const refused =
      "No connection established. Last error: connect ECONNREFUSED 127.0.0.1:1. Resolution note: ";
    expect(grpc(grpcError(14, refused), neverMade)).toBe("not-done");
    expect(grpc(grpcError(14, "Connection dropped"), neverMade)).toBe("not-done");
    for (const sent of [nothing, oneCall, seen(connection("tcp"))])
      expect(grpc(grpcError(14, refused), sent)).toBe("unknown");
  });

  it("knows nothing where the effect sent something else", () => {
    expect(grpc(grpcError(5), seen(answered("POST", 200), answered("POST", 200)))).toBe("unknown");
    expect(grpc(grpcError(5), seen(answered("POST", 404)))).toBe("unknown");
    expect(grpc(grpcError(5), seen(answered("POST", 200), connection("tcp")))).toBe("unknown");
  });
});

it.each([
  ["stripe", stripe],
  ["aws", aws],
  ["octokit", octokit],
  ["openai", openai],
  ["grpc", grpc],
])("%s leaves the errors of others to others", (_, classify) => {
  for (const thrown of [reset, new TypeError("x"), errorWith({ status: 404 }), { code: 5 }, "text", null])
    expect(classify(thrown, seen(answered("POST", 404)))).toBeUndefined();
});

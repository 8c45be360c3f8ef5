import fc from "fast-check";
import { request } from "../lib/request.ts";
import type { Operation, Parameter } from "./openapi.ts";
import { spoiled, valuesOf } from "./values.ts";

const junkText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom(
    "",
    "__proto__",
    "constructor",
    "\0",
    "null",
    "-1",
    "1e999",
    "🔑",
    "{default}",
    "%",
    "..",
    "a:b",
    "x".repeat(3_000),
  ),
);
/** A parser accepts nothing else in a header. */
const headerText = fc.stringMatching(/^[\x20-\x7e\x80-\xff]{0,60}$/).map((text) => text.trim());
const headerNames = fc.constantFrom(
  "Accept",
  "Accept-Encoding",
  "Authorization",
  "Content-Encoding",
  "Cookie",
  "Expect",
  "If-None-Match",
  "Idempotency-Key",
  "Last-Event-ID",
  "Origin",
  "Prefer",
  "Range",
  "Sec-Fetch-Site",
  "Upgrade",
  "X-Forwarded-For",
  "X-HTTP-Method-Override",
  "traceparent",
);
const headerValues = fc.oneof(
  headerText,
  fc.constantFrom(
    "wait=1",
    "text/event-stream",
    "100-continue",
    "Bearer x",
    "websocket",
    '"k"',
    "bytes=0-",
    "*/*;q=x",
    "h2c",
  ),
);

/** Requests of an operation: as described, almost so, and not at all. */
export function requestsOf({ method, path, parameters, body }: Operation): fc.Arbitrary<Buffer> {
  return fc
    .record({
      method: weighted(
        fc.constant(method),
        fc.constantFrom("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"),
      ),
      path: pathsOf(
        path,
        parameters.filter((parameter) => parameter.in === "path"),
      ),
      query: queriesOf(parameters.filter((parameter) => parameter.in === "query")),
      headers: fc.array(fc.tuple(headerNames, headerValues), { maxLength: 3 }),
      type: weighted(fc.constant("application/json"), headerText),
      body:
        body === undefined ? weighted(fc.constant(undefined), bytes(fc.jsonValue())) : bytes(valuesOf(body)),
    })
    .map(({ method: verb, path: to, query, headers, type, body: content }) =>
      request({
        method: verb,
        path: to + query,
        headers: content === undefined ? headers : [...headers, ["Content-Type", type]],
        ...(content !== undefined && { body: content }),
      }),
    );
}

/** Mostly `usual`. */
function weighted<T, U>(usual: fc.Arbitrary<T>, other: fc.Arbitrary<U>): fc.Arbitrary<T | U> {
  return fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: other });
}

function pathsOf(path: string, parameters: readonly Parameter[]): fc.Arbitrary<string> {
  return fc
    .tuple(...parameters.map(({ schema }) => fc.oneof(valuesOf(schema), junkText)))
    .map((values) =>
      parameters.reduce(
        (filled, { name }, at) => filled.replace(`{${name}}`, () => encoded(values[at]) || "x"),
        path,
      ),
    );
}

function queriesOf(parameters: readonly Parameter[]): fc.Arbitrary<string> {
  const known = parameters.map(({ name, schema }) =>
    fc.tuple(
      fc.constant(name),
      fc.oneof({ weight: 3, arbitrary: valuesOf(schema) }, { weight: 1, arbitrary: junkText }),
    ),
  );
  const pair = fc.oneof(
    ...known.map((arbitrary) => ({ weight: 3, arbitrary })),
    fc.tuple(junkText, junkText),
  );
  return fc.array(pair, { maxLength: 3 }).map((pairs) => {
    const written = pairs.map(([name, value]) => `${encoded(name)}=${encoded(value)}`);
    return written.length === 0 ? "" : `?${written.join("&")}`;
  });
}

function encoded(value: unknown): string {
  return encodeURIComponent(String(value).toWellFormed());
}

/** JSON as described, with a wrong part, or with damaged text. */
function bytes(values: fc.Arbitrary<unknown>): fc.Arbitrary<Buffer> {
  const text = (value: unknown) => Buffer.from(JSON.stringify(value));
  return fc.oneof(
    { weight: 3, arbitrary: values.map(text) },
    { weight: 3, arbitrary: spoiled(values).map(text) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(values.map(text), fc.nat(), fc.uint8Array({ maxLength: 6 }), fc.nat(6))
        .map(damaged),
    },
  );
}

function damaged([good, at, inserted, removed]: readonly [Buffer, number, Uint8Array, number]): Buffer {
  const place = at % (good.length + 1);
  return Buffer.concat([good.subarray(0, place), inserted, good.subarray(place + removed)]);
}

/** Bytes that are no request, or a damaged one. */
export function garbageOf(operations: readonly Operation[]): fc.Arbitrary<Buffer> {
  const requests = fc.oneof(...operations.map(requestsOf));
  return fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 300 }).map((noise) => Buffer.from(noise)),
    fc.tuple(requests, fc.nat(), fc.uint8Array({ maxLength: 6 }), fc.nat(6)).map(damaged),
    fc.tuple(requests, fc.nat()).map(([whole, at]) => whole.subarray(0, 1 + (at % whole.length))),
  );
}

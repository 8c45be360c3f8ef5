import { isUtf8 } from "node:buffer";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { HoldfastError, type Issue } from "../../../platform/errors/holdfast-error.ts";
import { type ListOfParts, malformed, parseJson } from "../../../platform/lib/parse-json.ts";
import { type ParsedParts, parseLargeJson } from "../../../platform/lib/parse-large-json.ts";
import { isGivenUp } from "../guard/turns.ts";
import { bodyTooLarge, readBytes } from "./read-body.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The list in the body that makes it large. */
    list?: ListOfParts;
    /** The list is of jobs. What is wrong inside one is left to the route, so that the other jobs go through. */
    isBatch?: boolean;
  }
  interface FastifyRequest {
    /** Why single jobs of a batch are refused, by index. */
    refusedJobs?: ReadonlyMap<number, HoldfastError>;
    /** When its body had arrived, by the monotonic clock in milliseconds. A large one then waits for those before it. */
    arrivedAt?: number;
  }
}

/** The depth of a batch's jobs. */
const JOBS_AT = 2;
/** Above it, a body is parsed in steps, one at a time. */
const LARGE_BYTES = 128 * 1024;
/** Of what is parsed in one step. A job of a batch may be as large as one that is submitted alone. */
const PART_MAX = 1_048_576;

/** Accepts only uncompressed JSON in UTF-8 that means the same to every parser. */
export function readJsonBodies(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  server.decorateRequest("refusedJobs");
  server.decorateRequest("arrivedAt");
  server.addHook("onRequest", ({ headers: { "content-encoding": encoding } }, _reply, done) => {
    // Checked before reading, so that nothing is ever decompressed.
    if (encoding === undefined || encoding.toLowerCase() === "identity") done();
    else done(new HoldfastError("UNSUPPORTED_MEDIA_TYPE", "Expected a body without content-encoding"));
  });
  let last: Promise<unknown> = Promise.resolve();
  server.addContentTypeParser("application/json", (request, payload, done) => {
    readBytes(request, payload, (failed, bytes) => {
      if (bytes === undefined) return done(failed);
      request.arrivedAt = performance.now();
      // Many clients name the type of a body that they have not.
      if (bytes.length === 0) return done(null);
      if (bytes.length <= LARGE_BYTES) return answer(() => readBody(request, bytes), done);
      const parsed = last.then(() => readLargeBody(request, bytes));
      last = parsed.catch(() => {});
      parsed.then((value) => done(null, value), done);
    });
  });
}

function answer(read: () => unknown, done: (error: Error | null, value?: unknown) => void): void {
  const outcome: { error: Error | null; value?: unknown } = { error: null };
  try {
    outcome.value = read();
  } catch (error) {
    outcome.error = error as Error;
  }
  done(outcome.error, outcome.value);
}

/** @throws HoldfastError `INVALID_REQUEST`, `UNSUPPORTED_MEDIA_TYPE` */
function readBody(request: FastifyRequest, bytes: Buffer): unknown {
  const { isBatch } = request.routeOptions.config;
  const text = textOf(request, bytes);
  try {
    const parsed = parseJson(text, isBatch ? JOBS_AT : 0);
    return accept(request, { ...parsed, tooLong: [], isTooLong: false });
  } catch (error) {
    throw asRefusal(error);
  }
}

/** @throws HoldfastError `INVALID_REQUEST`, `UNSUPPORTED_MEDIA_TYPE`, `BODY_TOO_LARGE`, `REQUEST_TIMED_OUT` */
async function readLargeBody(request: FastifyRequest, bytes: Buffer): Promise<unknown> {
  const { isBatch, list } = request.routeOptions.config;
  // It may have waited for others.
  if (isGivenUp(request.raw)) throw new HoldfastError("REQUEST_TIMED_OUT", "The client has left");
  const text = textOf(request, bytes);
  try {
    const partsAt = isBatch ? JOBS_AT : 0;
    return accept(request, await parseLargeJson(text, { partsAt, ...(list && { list }), partMax: PART_MAX }));
  } catch (error) {
    throw asRefusal(error);
  }
}

/** @returns the value, if nothing is wrong with it, or only with single jobs of a batch */
function accept(request: FastifyRequest, { value, issues, tooLong, isTooLong }: ParsedParts): unknown {
  const isBatch = request.routeOptions.config.isBatch === true;
  if (isTooLong || (tooLong.length > 0 && !isBatch)) throw bodyTooLarge();
  if (issues.length === 0 && tooLong.length === 0) return value;
  const ofJobs = new Map<number, Issue[]>();
  for (const issue of issues) {
    const [, index, pointer] = (isBatch && /^\/jobs\/(\d+)(\/.*)$/s.exec(issue.pointer)) || [];
    if (index === undefined || pointer === undefined) throw malformed(issues);
    const others = ofJobs.get(Number(index)) ?? [];
    others.push({ ...issue, pointer });
    ofJobs.set(Number(index), others);
  }
  request.refusedJobs = new Map([
    ...[...ofJobs].map(([index, found]) => [index, malformed(found)] as const),
    ...tooLong.map((index) => [index, bodyTooLarge()] as const),
  ]);
  return value;
}

function textOf({ headers }: FastifyRequest, bytes: Buffer): string {
  checkCharset(headers["content-type"]);
  // Decoding would replace invalid bytes by �, and give different contents the same fingerprint.
  if (!isUtf8(bytes)) throw malformed([{ pointer: "", message: "expected UTF-8" }]);
  return bytes.toString("utf8");
}

/** JSON is UTF-8 (RFC 8259). Another declared charset is refused rather than misread. */
function checkCharset(contentType: string | undefined): void {
  const [, charset] = /;\s*charset\s*=\s*"?([^";]*)/i.exec(contentType ?? "") ?? [];
  if (charset !== undefined && charset.trim().toLowerCase() !== "utf-8")
    throw new HoldfastError("UNSUPPORTED_MEDIA_TYPE", "Expected application/json in UTF-8");
}

function asRefusal(error: unknown): unknown {
  if (!(error instanceof SyntaxError)) return error;
  return malformed([{ pointer: "", message: "expected valid JSON" }], error);
}

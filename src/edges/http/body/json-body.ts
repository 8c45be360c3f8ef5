import { isUtf8 } from "node:buffer";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { HoldfastError, type Issue } from "../../../platform/errors/holdfast-error.ts";
import { malformed, type ParsedJson, parseJson } from "../../../platform/lib/parse-json.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The body is `{"jobs": […]}`. Issues inside one job are left to the route, so that the other jobs go through. */
    isBatch?: boolean;
  }
  interface FastifyRequest {
    /** Issues inside single jobs of a batch, by index. */
    issuesOfJobs?: ReadonlyMap<number, readonly Issue[]>;
  }
}

/** The depth of a batch's jobs. */
const JOBS_AT = 2;

/** Accepts only uncompressed JSON in UTF-8 that means the same to every parser. */
export function readJsonBodies(server: FastifyInstance): void {
  server.removeAllContentTypeParsers();
  server.decorateRequest("issuesOfJobs");
  server.addHook("onRequest", ({ headers: { "content-encoding": encoding } }, _reply, done) => {
    // Checked before reading, so that nothing is ever decompressed.
    if (encoding === undefined || encoding.toLowerCase() === "identity") done();
    else done(new HoldfastError("UNSUPPORTED_MEDIA_TYPE", "Expected a body without content-encoding"));
  });
  server.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body: Buffer, done) => {
    try {
      done(null, readBody(request, body));
    } catch (error) {
      done(error as Error);
    }
  });
}

/** @throws HoldfastError `INVALID_REQUEST`, `UNSUPPORTED_MEDIA_TYPE` */
function readBody(request: FastifyRequest, body: Buffer): unknown {
  checkCharset(request.headers["content-type"]);
  const isBatch = request.routeOptions.config.isBatch === true;
  const { value, issues } = parse(body, isBatch ? JOBS_AT : 0);
  if (issues.length === 0) return value;
  const ofJobs = new Map<number, Issue[]>();
  for (const issue of issues) {
    const [, index, pointer] = (isBatch && /^\/jobs\/(\d+)(\/.*)$/s.exec(issue.pointer)) || [];
    if (index === undefined || pointer === undefined) throw malformed(issues);
    const others = ofJobs.get(Number(index)) ?? [];
    ofJobs.set(Number(index), [...others, { ...issue, pointer }]);
  }
  request.issuesOfJobs = ofJobs;
  return value;
}

/** JSON is UTF-8 (RFC 8259). Another declared charset is refused rather than misread. */
function checkCharset(contentType: string | undefined): void {
  const [, charset] = /;\s*charset\s*=\s*"?([^";]*)/i.exec(contentType ?? "") ?? [];
  if (charset !== undefined && charset.trim().toLowerCase() !== "utf-8")
    throw new HoldfastError("UNSUPPORTED_MEDIA_TYPE", "Expected application/json in UTF-8");
}

function parse(body: Buffer, partsAt: number): ParsedJson {
  if (body.length === 0) throw malformed([{ pointer: "", message: "expected a JSON body, got none" }]);
  // Decoding would replace invalid bytes by �, and give different contents the same fingerprint.
  if (!isUtf8(body)) throw malformed([{ pointer: "", message: "expected UTF-8" }]);
  try {
    return parseJson(body.toString("utf8"), partsAt);
  } catch (cause) {
    throw malformed([{ pointer: "", message: "expected valid JSON" }], cause);
  }
}

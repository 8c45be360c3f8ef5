import type { FastifyReply } from "fastify";
import { z } from "zod";
import { type ErrorCode, errorCodes } from "../../../platform/errors/error-codes.ts";
import { HoldfastError, type Problem } from "../../../platform/errors/holdfast-error.ts";
import type { Logger } from "../../../platform/lib/logger.ts";
import { component } from "./component.ts";

/** RFC 9457 problem details. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.string().meta({ description: "Stable; see the list of error codes." }),
  errors: z
    .array(
      z.object({
        pointer: z.string().meta({ description: "RFC 6901 pointer into the body." }),
        message: z.string(),
      }),
    )
    .optional(),
  id: z.string().optional().meta({ description: "Of the doubt. Only with `IN_DOUBT`." }),
});

export const PROBLEM_TYPE = "application/problem+json; charset=utf-8";

/** Makes the problem for an answer. Logs faults of ours, and sets `Retry-After`. */
export function prepareProblem(log: Logger, error: HoldfastError, reply: FastifyReply): Problem {
  if (error.code === "INTERNAL")
    log.error({ err: error.cause, route: reply.request.routeOptions.url }, "request failed");
  if (error.retryAfterMs !== undefined) reply.header("Retry-After", Math.ceil(error.retryAfterMs / 1_000));
  return error.toProblem();
}

/** Translates Fastify's errors. Anything else unexpected becomes `INTERNAL`. */
export function asHoldfastError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  const known = Object.hasOwn(fastifyErrors, code) ? fastifyErrors[code] : undefined;
  if (known !== undefined) return new HoldfastError(known.code, known.detail, { cause: error });
  const status =
    typeof error === "object" && error !== null && "statusCode" in error ? Number(error.statusCode) : 500;
  if (status >= 400 && status < 500) {
    return new HoldfastError("INVALID_REQUEST", "The request is malformed", { cause: error });
  }
  return new HoldfastError("INTERNAL", "The request failed; it is safe to send it again", {
    cause: error,
  });
}

const fastifyErrors: Readonly<Record<string, { readonly code: ErrorCode; readonly detail: string }>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    code: "BODY_TOO_LARGE",
    detail: "Expected a body of at most 1 MiB, or 4 MiB for a batch",
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: "UNSUPPORTED_MEDIA_TYPE",
    detail: "Expected content-type application/json",
  },
  FST_ERR_BAD_URL: { code: "ROUTE_NOT_FOUND", detail: "The path is not valid" },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: "INVALID_REQUEST",
    detail: "The body is not as long as Content-Length says",
  },
};

/** OpenAPI responses for the problems of a route, one for each status. */
export function problemResponses(...codes: readonly ErrorCode[]): Record<number, unknown> {
  const statuses = [...new Set(codes.map((code) => errorCodes[code].httpStatus))];
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      problemResponse(codes.filter((code) => errorCodes[code].httpStatus === status)),
    ]),
  );
}

function problemResponse(codes: readonly ErrorCode[]): Record<string, unknown> {
  const description = codes.map((code) => `\`${code}\`: ${errorCodes[code].title}.`).join(" ");
  const examples = codes.map((code) => [
    code,
    { value: new HoldfastError(code, errorCodes[code].title).toProblem() },
  ]);
  const isPassing = codes.some((code) => [429, 503].includes(errorCodes[code].httpStatus));
  return {
    description,
    ...(isPassing && { headers: retryAfter }),
    content: {
      "application/problem+json": {
        schema: component("Problem", problemSchema),
        examples: Object.fromEntries(examples),
      },
    },
  };
}

const retryAfter = {
  "Retry-After": { type: "integer", description: "Seconds to wait before sending the request again." },
};

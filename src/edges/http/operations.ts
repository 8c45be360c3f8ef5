import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import type { Operation } from "../../desk/operations/operation.ts";
import { operations } from "../../desk/operations/operations.ts";
import type { ErrorCode } from "../../platform/errors/error-codes.ts";
import { parseInput } from "../../platform/lib/parse-json.ts";
import { answer } from "./body/component.ts";
import { problemResponses } from "./body/problem.ts";
import { addReceiptHeaders } from "./body/receipt-headers.ts";
import { readKeyHeader } from "./body/request-headers.ts";
import { callerOf } from "./guard/access.ts";
import { underBasePath } from "./mount/base-path.ts";
import type { ApiParts } from "./parts.ts";

export function addOperations(
  server: FastifyInstance,
  { operator, overview }: Pick<ApiParts, "operator" | "overview">,
): void {
  for (const operation of Object.values<Operation>(operations)) {
    const { method, path: url, scope } = operation;
    server.route<{ Params: Record<string, string> }>({
      method,
      url,
      config: { scope },
      schema: describe(operation),
      async handler(request, reply) {
        const answered = await operation.run(operator, {
          params: request.params,
          input: inputOf(operation, request),
          by: callerOf(request),
          key: operation.isKeyed && readKeyHeader(request.raw),
        });
        if (scope === "operate") overview.changed();
        const body = underBasePath(request.raw, answered);
        addReceiptHeaders(reply, body);
        return reply
          .code(operation.isOther?.(answered) === true ? (operation.other?.status ?? 200) : 200)
          .send(body);
      },
    });
  }
}

/** Also what is given in the wrong place is refused: a pause for `?type=…` would else pause the whole queue. */
function inputOf({ input, ...operation }: Operation, { query, body }: FastifyRequest): unknown {
  if (hasQuery(operation)) return parseInput(input ?? nothing, query);
  parseInput(nothing, query);
  if (input === undefined) return parseInput(nothing, body ?? undefined);
  return parseInput(input, input.isOptional() ? (body ?? undefined) : body);
}

const nothing = z.strictObject({}).optional();

function hasQuery({ method }: Pick<Operation, "method">): boolean {
  return method === "GET" || method === "DELETE";
}

function describe(operation: Operation) {
  const { id, summary, description, params, input, isKeyed, errors } = operation;
  const given = input && {
    [hasQuery(operation) ? "querystring" : "body"]: z.toJSONSchema(input, { io: "input" }),
  };
  return {
    operationId: id,
    summary,
    ...(description !== undefined && { description }),
    tags: ["operate"],
    ...(params && { params: stringsOf(params) }),
    ...(isKeyed && { headers: { type: "object", properties: { "Idempotency-Key": { type: "string" } } } }),
    ...given,
    response: {
      200: describeAnswer(operation.answer),
      ...(operation.other && { [operation.other.status]: describeAnswer(operation.other) }),
      ...problemResponses(...new Set<ErrorCode>(["INVALID_REQUEST", ...errors])),
    },
  };
}

function stringsOf(descriptions: Readonly<Record<string, string>>) {
  const properties = Object.entries(descriptions).map(([name, description]) => [
    name,
    { type: "string", description },
  ]);
  return { type: "object", properties: Object.fromEntries(properties) };
}

function describeAnswer(answered: Operation["answer"]) {
  if (!("text" in answered)) return z.toJSONSchema(answered);
  return answer(answered.text, z.toJSONSchema(answered.schema));
}

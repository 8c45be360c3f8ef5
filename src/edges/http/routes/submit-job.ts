import type { FastifyInstance, FastifyRequest } from "fastify";
import { receiptBody, receiptSchema, receiptStatus } from "../../../desk/operations/receipt.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { answer, component } from "../body/component.ts";
import { problemResponses } from "../body/problem.ts";
import { addReceiptHeaders } from "../body/receipt-headers.ts";
import { readKeyHeader } from "../body/request-headers.ts";
import { submissionBody, submissionProblems } from "../body/submission-body.ts";
import { underBasePath } from "../mount/base-path.ts";
import type { ApiParts } from "../parts.ts";

const receipt = component("Receipt", receiptSchema);

/** `POST /jobs`: submits one job. */
export function addSubmitRoute(server: FastifyInstance, { application, submitter }: ApiParts): void {
  server.post(
    "/jobs",
    {
      config: { scope: "submit" },
      schema: {
        operationId: "submitJob",
        summary: "Submit a job",
        description:
          "Accepted (202) means durable. The same key and content again answers 200 with the first job's id; the same key with other content, 422. After a 503 the request is safe to send again.",
        tags: ["jobs"],
        headers: {
          type: "object",
          properties: {
            "Idempotency-Key": {
              type: "string",
              description: "Instead of `idempotencyKey`; if both are given, they must agree.",
            },
          },
        },
        body: submissionBody(application),
        response: {
          200: answer("The key was used before with the same content.", receipt),
          202: answer("Accepted, and durable.", receipt),
          ...problemResponses(...submissionProblems),
        },
      },
    },
    async (request, reply) => {
      const receipt = await submitter.submit(withHeaderKey(request));
      const body = underBasePath(request.raw, receiptBody(receipt));
      addReceiptHeaders(reply, body);
      return reply.code(receiptStatus(receipt)).send(body);
    },
  );
}

/** The body, with the key from the header if it has none. */
function withHeaderKey({ raw, body }: FastifyRequest): unknown {
  const key = readKeyHeader(raw);
  if (key === undefined || typeof body !== "object" || body === null || Array.isArray(body)) return body;
  if (!("idempotencyKey" in body)) return { ...body, idempotencyKey: key };
  if (body.idempotencyKey === key) return body;
  throw new HoldfastError(
    "IDEMPOTENCY_KEY_INVALID",
    "The Idempotency-Key header and idempotencyKey in the body differ",
    {
      issues: [
        { pointer: "/idempotencyKey", message: "expected the same key as in the Idempotency-Key header" },
      ],
    },
  );
}

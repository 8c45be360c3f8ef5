import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Application } from "../../../core/job/application.ts";
import { receiptBody, receiptSchema, receiptStatus } from "../../../desk/operations/receipt.ts";
import { CHILDREN_MAX, childSchemaOf, flowSchema } from "../../../features/flows/flow-input.ts";
import { openFlowSubmitter } from "../../../features/flows/flow-submitter.ts";
import { features } from "../../../features/index.ts";
import { answer, component } from "../body/component.ts";
import { problemResponses } from "../body/problem.ts";
import { batchedSubmission, submissionProblems } from "../body/submission-body.ts";
import { underBasePath } from "../mount/base-path.ts";
import type { ApiParts } from "../parts.ts";

const BODY_MAX_BYTES = 4 * 1_048_576;

const receipt = component(
  "FlowReceipt",
  receiptSchema.extend({ children: z.int().meta({ description: "How many children the flow has." }) }),
);

/** `POST /flows`: submits a job that runs when others have ended, and those others. */
export function addFlowRoute(server: FastifyInstance, { application, stores, submitter }: ApiParts): void {
  const submitFlow = openFlowSubmitter(application, { stores, submitter });
  server.post(
    "/flows",
    {
      config: { scope: "submit", list: { name: "children", max: CHILDREN_MAX }, cost: jobsIn },
      bodyLimit: BODY_MAX_BYTES,
      schema: describe(application),
    },
    async (request, reply) => {
      const { children, ...parent } = await submitFlow(request.body, { arrivedAt: request.arrivedAt });
      if (parent.duplicate) reply.header("Idempotency-Replayed", "true");
      const body = underBasePath(request.raw, { ...receiptBody(parent), children });
      return reply.code(receiptStatus(parent)).header("Location", body.statusUrl).send(body);
    },
  );
}

/** Every job counts against rate limits, accepted or not. */
function jobsIn(body: unknown): number {
  const { success, data } = flowSchema.safeParse(body);
  return success ? data.children.length + 1 : 1;
}

function describe(application: Application): Record<string, unknown> {
  const { $schema: _, ...child } = z.toJSONSchema(childSchemaOf(features), { io: "input" });
  const { onChildFailure } = z.toJSONSchema(flowSchema, { io: "input" }).properties ?? {};
  return {
    operationId: "submitFlow",
    summary: "Submit a flow",
    description: `A parent, and 1 to ${CHILDREN_MAX} children in its queue: the parent runs when all of them have ended. Accepted (202) means that all are durable. The same flow again answers 200, and adds what a failed request has left out. After a 503 the flow is safe to send again, and does not run before it is whole.`,
    tags: ["jobs"],
    body: {
      type: "object",
      additionalProperties: false,
      required: ["parent", "children"],
      properties: {
        parent: batchedSubmission(application),
        children: { type: "array", minItems: 1, maxItems: CHILDREN_MAX, items: child },
        onChildFailure,
      },
    },
    response: {
      200: answer("The parent's key was used before for the same flow, which is whole now.", receipt),
      202: answer("Accepted, and durable.", receipt),
      ...problemResponses(...submissionProblems, "FLOW_ACROSS_QUEUES", "CHILD_OF_OTHER_FLOW"),
    },
  };
}

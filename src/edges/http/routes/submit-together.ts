import type { FastifyInstance } from "fastify";
import type { Application } from "../../../core/job/application.ts";
import type { JointSubmission } from "../../../core/submit/joint-submission.ts";
import { submissionSchemaOf } from "../../../core/submit/submission.ts";
import { receiptBody, receiptSchema, receiptStatus } from "../../../desk/operations/receipt.ts";
import { features } from "../../../features/index.ts";
import { answer, component } from "../body/component.ts";
import { problemResponses } from "../body/problem.ts";
import { addReceiptHeaders } from "../body/receipt-headers.ts";
import { batchedSubmission, submissionProblems } from "../body/submission-body.ts";
import { underBasePath } from "../mount/base-path.ts";
import type { ApiParts } from "../parts.ts";

/** The routes by which features let jobs be submitted together, such as `POST /flows`. */
export async function addJointRoutes(server: FastifyInstance, parts: ApiParts): Promise<void> {
  const modules = await Promise.all(features.map(({ joint }) => joint?.load()));
  for (const module of modules) if (module !== undefined) addJointRoute(server, parts, module.joint);
}

function addJointRoute(server: FastifyInstance, parts: ApiParts, joint: JointSubmission): void {
  const { application, stores, submitter } = parts;
  const submit = joint.open(application, { stores, submitter });
  server.post(
    joint.path,
    {
      config: { scope: "submit", list: joint.list, cost: joint.countJobs },
      bodyLimit: joint.bodyMaxBytes,
      schema: describe(application, joint),
    },
    async (request, reply) => {
      const receipt = await submit(request.body, { arrivedAt: request.arrivedAt });
      const body = underBasePath(request.raw, receiptBody(receipt));
      addReceiptHeaders(reply, body);
      return reply.code(receiptStatus(receipt)).send(body);
    },
  );
}

function describe(application: Application, joint: JointSubmission): Record<string, unknown> {
  const { name, summary, description, required, receipt, answers, errors } = joint;
  const properties = joint.properties(batchedSubmission(application), submissionSchemaOf(features));
  const answered = component(receipt.title, receiptSchema.extend(receipt.members));
  return {
    operationId: name,
    summary,
    description,
    tags: ["jobs"],
    body: { type: "object", additionalProperties: false, required, properties },
    response: {
      200: answer(answers.again, answered),
      202: answer(answers.accepted, answered),
      ...problemResponses(...submissionProblems, ...errors),
    },
  };
}

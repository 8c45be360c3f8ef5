import { z } from "zod";
import type { JointSubmission } from "../../core/submit/joint-submission.ts";
import type { FlowReceipt } from "./flow.ts";
import { CHILDREN_MAX, childSchemaOf, flowInput, flowSchema } from "./flow-input.ts";
import { openFlowSubmitter } from "./flow-submitter.ts";

/** A flow, as it is submitted. */
export const joint: JointSubmission = {
  name: "submitFlow",
  path: "/flows",
  summary: "Submit a flow",
  description: `A parent, and 1 to ${CHILDREN_MAX} children in its queue: the parent runs when all of them have ended. Accepted (202) means that all are durable. The same flow again answers 200, and adds what a failed request has left out. After a 503 the flow is safe to send again, and does not run before it is whole.`,
  bodyMaxBytes: 4 * 1_048_576,
  jobs: { parent: [], children: ["name"] },
  list: { name: "children", max: CHILDREN_MAX },
  countJobs(body) {
    const { success, data } = flowSchema.safeParse(body);
    return success ? data.children.length + 1 : 1;
  },
  properties(job, submission) {
    const { $schema: _, ...child } = z.toJSONSchema(childSchemaOf(submission), { io: "input" });
    const { onChildFailure } = z.toJSONSchema(flowSchema, { io: "input" }).properties ?? {};
    const children = { type: "array", minItems: 1, maxItems: CHILDREN_MAX, items: child };
    return { parent: job, children, onChildFailure };
  },
  required: ["parent", "children"],
  receipt: {
    title: "FlowReceipt",
    members: { children: z.int().meta({ description: "How many children the flow has." }) },
  },
  answers: {
    again: "The parent's key was used before for the same flow, which is whole now.",
    accepted: "Accepted, and durable.",
  },
  errors: ["FLOW_ACROSS_QUEUES", "CHILD_OF_OTHER_FLOW"],
  inputOf: flowInput,
  open: openFlowSubmitter,
  textOf({ id, duplicate, children }: FlowReceipt) {
    return `${duplicate ? "duplicate of" : "accepted"} ${id}, with ${children} children`;
  },
};

import { z } from "zod";
import type { Feature } from "../../core/feature.ts";
import type { JobStatus } from "../../core/job/job-status.ts";
import {
  type Child,
  type ChildType,
  type Flow,
  type FlowReceipt,
  type GivenChild,
  type OnChildFailure,
  onChildFailures,
} from "./flow.ts";
import { flowsStatus } from "./status.ts";

export type * from "./flow.ts";
export type * from "./status.ts";

declare module "../../core/job/declarations.ts" {
  interface JobDeclarations<Payload> {
    /**
     * What a failed child means, where the job is the parent of a flow: `fail`, it fails at once with `CHILD_FAILED`; `continue`, it runs when
     * all children have ended, and sees which failed. A flow can say otherwise.
     *
     * @default "fail"
     */
    readonly onChildFailure?: OnChildFailure;
  }
  interface ContractDeclarations<Payload> {
    readonly onChildFailure: OnChildFailure;
  }
}

declare module "../../core/job/attempt.ts" {
  interface AttemptMembers {
    /**
     * Reads the children of the flow whose parent this job is, page by page from Redis, in no order. A job that is no parent has none.
     *
     * @param of only those of this type @default all
     * @throws HoldfastError `STORE_UNAVAILABLE`, `DECRYPTION_FAILED`
     * @example for await (const child of children(render)) if (child.state === "completed") pages += child.result.pages;
     */
    children<Result = unknown>(of?: ChildType<Result>): AsyncGenerator<Child<Result>, void>;
  }
}

declare module "../../core/submit/joint-submission.ts" {
  interface FeatureProducer {
    /**
     * Creates a job that runs when others have ended, and those others. Submitted again with the same keys, it finishes what a crash has left
     * half done.
     *
     * @throws HoldfastError as `submit`, for the first job that is refused; `FLOW_ACROSS_QUEUES`, `CHILD_OF_OTHER_FLOW`
     * @example
     * await producer.submitFlow({
     *   parent: { job: book, payload: { title }, idempotencyKey: title },
     *   children: chapters.map((chapter) => ({ job: render, payload: { chapter } })),
     * });
     */
    submitFlow<ParentIn, const ChildrenIn extends readonly unknown[]>(
      flow: Flow<ParentIn, ChildrenIn>,
    ): Promise<FlowReceipt>;
  }
  interface FeatureClient {
    /**
     * Creates a job that runs when others have ended, and those others. Sent again with the same keys, it finishes what a crash has left half
     * done.
     *
     * @throws HoldfastError as `submit`; `FLOW_ACROSS_QUEUES`, `CHILD_OF_OTHER_FLOW`
     */
    submitFlow<ParentIn, const ChildrenIn extends readonly unknown[]>(
      flow: Flow<ParentIn, ChildrenIn>,
      options?: { readonly signal?: AbortSignal | undefined },
    ): Promise<FlowReceipt>;
  }
}

declare module "../../core/run/given-attempt.ts" {
  interface TestedAttempt {
    /**
     * The children, as the parent of a flow reads them: results, or errors of failed ones.
     *
     * @default none
     * @example [{ type: "render", result: { pages: 3 } }, { type: "render", error: new Error("no ink") }]
     */
    readonly children?: readonly GivenChild[];
  }
}

/** @internal Jobs that run when others have ended. */
export const flows = {
  name: "flows",
  ofJob: { onChildFailure: { accepts: z.enum(onChildFailures), otherwise: "fail" } },
  status: flowsStatus,
  lines: ({ parentId, children }) => [
    ["parent", parentId ?? null],
    ["children", children === undefined ? null : childrenText(children)],
  ],
  inWorker: () => import("./in-worker.ts"),
  inTest: () => import("./in-test.ts"),
  joint: {
    flag: ["--flow <file.json|->", "submit a flow: JSON, like the body of POST /flows"],
    example: ["--flow book.json", "safe to run again: it adds what is missing"],
    load: () => import("./joint.ts"),
  },
} as const satisfies Feature;

function childrenText({
  total,
  waiting,
  completed,
  failed,
  isWhole,
}: NonNullable<JobStatus["children"]>): string {
  const counts = `${total}: ${waiting} have not ended, ${completed} completed, ${failed} failed`;
  return isWhole ? counts : `${counts}; half submitted`;
}

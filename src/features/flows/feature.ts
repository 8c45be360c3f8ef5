import { z } from "zod";
import type { Declaration } from "../../core/define/declaration.ts";
import type { Feature } from "../../core/feature.ts";
import { type Child, type ChildType, type OnChildFailure, onChildFailures } from "./flow.ts";

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

export const declaredChildFailure: Declaration = {
  ofJob: { onChildFailure: { accepts: z.enum(onChildFailures), otherwise: "fail" } },
};

/** Jobs that run when others have ended. */
export const flows: Feature = {
  name: "flows",
  ...declaredChildFailure,
  inWorker: () => import("./in-worker.ts"),
};

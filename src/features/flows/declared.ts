import { z } from "zod";
import type { Declaration } from "../../core/job/define-config.ts";
import { type OnChildFailure, onChildFailures } from "./flow.ts";

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

export const declaredChildFailure: Declaration = {
  ofJob: { onChildFailure: { accepts: z.enum(onChildFailures), otherwise: "fail" } },
};

import type { Failure } from "../../core/job/failure.ts";
import type { NextOptions } from "../../core/job/idempotency-key.ts";
import type { Jsonified } from "../../core/job/jsonified.ts";
import type { ProducibleJob, Receipt, SubmitOptions } from "../../core/job/submit-options.ts";
import type { Schema } from "../../platform/lib/schema.ts";

/**
 * What a failed child means. `fail`: its parent fails at once with `CHILD_FAILED`, and does not run. `continue`: its parent runs when all
 * children have ended, and sees which failed.
 */
export type OnChildFailure = "fail" | "continue";
/** @internal */
export const onChildFailures = ["fail", "continue"] as const satisfies readonly OnChildFailure[];

/** A child of a flow, as its parent's handler sees it. */
export type Child<Result = unknown> = {
  readonly id: string;
  readonly type: string;
  /** As the flow names it. @default its index */
  readonly name: string;
  /** Its place among the children of the flow, from 0. */
  readonly index: number;
} & (
  | { readonly state: "completed"; readonly result: Jsonified<Result>; readonly error?: undefined }
  | { readonly state: "failed"; readonly error: Failure; readonly result?: undefined }
);

/** The part of a contract that says what its jobs return. */
export interface ChildType<Result> {
  readonly type: string;
  readonly result: Schema<Result, unknown>;
}

/** The job that runs when all children have ended. */
export interface FlowParent<PayloadIn = unknown>
  extends Omit<SubmitOptions, "delayMs" | "runAt" | "startWithinMs"> {
  readonly job: ProducibleJob<PayloadIn>;
  readonly payload: NoInfer<PayloadIn>;
}

/** A job that runs before the flow's parent. */
export interface FlowChild<PayloadIn = unknown> extends NextOptions {
  readonly job: ProducibleJob<PayloadIn>;
  readonly payload: NoInfer<PayloadIn>;
  /** @default made of the parent's: `<type>:<key>/<name>`, where the name is by default the child's index */
  readonly idempotencyKey?: string;
}

/** A job that runs when others have ended, and those others. */
export interface Flow<ParentIn = unknown, ChildrenIn extends readonly unknown[] = readonly unknown[]> {
  readonly parent: FlowParent<ParentIn>;
  /** 1 to 10,000, in the parent's queue. */
  readonly children: { readonly [Index in keyof ChildrenIn]: FlowChild<ChildrenIn[Index]> };
  /** @default what the parent's contract declares */
  readonly onChildFailure?: OnChildFailure;
}

/** The parent's receipt. */
export interface FlowReceipt extends Receipt {
  /** How many children the flow has. */
  readonly children: number;
}

/** A child of a flow that has ended, in a test of a handler. */
export interface GivenChild {
  readonly type: string;
  /** @default its index */
  readonly name?: string;
  readonly result?: unknown;
  /** It failed with this. */
  readonly error?: Error;
}

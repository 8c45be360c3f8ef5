import { z } from "zod";
import { keyFault, nextKey, nextNameFault } from "../../core/job/idempotency-key.ts";
import { submissionOf } from "../../core/submit/submission.ts";
import type { ValidSubmission } from "../../core/submit/validate.ts";
import { wayInOf } from "../../core/submit/way-in.ts";
import { givenList, givenObject } from "../../platform/errors/given.ts";
import { HoldfastError, type Issue } from "../../platform/errors/holdfast-error.ts";
import { malformed } from "../../platform/lib/parse-json.ts";
import { schemaIssues } from "../../platform/lib/schema.ts";
import { type Flow, type FlowChild, type OnChildFailure, onChildFailures } from "./flow.ts";

export const CHILDREN_MAX = 10_000;

/** A flow as clients send it; its jobs are checked one by one. */
export const flowSchema = z.strictObject({
  parent: z.record(z.string(), z.unknown()),
  children: z.array(z.record(z.string(), z.unknown())).min(1).max(CHILDREN_MAX),
  onChildFailure: z
    .enum(onChildFailures)
    .optional()
    .meta({
      description:
        "`fail`: a failed child fails the parent at once, with CHILD_FAILED. `continue`: the parent runs when all have ended, and sees which failed. By default what the parent's type declares.",
      examples: ["fail"],
    }),
});

const childNameSchema = z
  .string()
  .refine((name) => nextNameFault(name) === undefined, "expected 1 to 255 characters, and no slash")
  .meta({
    description:
      "Distinguishes the children. By default the index of the child. By default the key of the child is made from its parent's key and this name.",
    examples: ["chapter-1"],
  });

/** A child as clients send it. */
export function childSchemaOf(submission: z.ZodObject<{ idempotencyKey: z.ZodType }>) {
  return submission.extend({
    name: childNameSchema.optional(),
    idempotencyKey: submission.shape.idempotencyKey.meta({
      description: "By default <type>:<key>/<name>, of the parent's type and key.",
    }),
  });
}

/** A flow without issues. */
export interface ValidFlow {
  readonly parent: ValidSubmission;
  readonly children: readonly ValidChild[];
  readonly onChildFailure: OnChildFailure;
  /** Equal exactly when parent, children, their order and what a failed one means are. */
  readonly content: string;
}

export interface ValidChild {
  readonly submission: ValidSubmission;
  /** Undefined where it is its index. */
  readonly name: string | undefined;
}

/** A call's argument as a client of the API would send it. */
export function flowInput(flow: Flow): z.input<typeof flowSchema> {
  const { parent, children, onChildFailure } = givenObject(flow, "/");
  const { job, payload, ...options } = givenObject(parent, "/parent");
  return {
    parent: withoutUndefined(submissionOf(job, payload, options)),
    children: givenList(children, "/children").map((child, index) =>
      childInput(givenObject(child, `/children/${index}`)),
    ),
    ...(onChildFailure !== undefined && { onChildFailure }),
  };
}

function childInput({ job, payload, name, idempotencyKey = "", ...options }: FlowChild) {
  return {
    ...withoutUndefined(submissionOf(job, payload, { ...options, idempotencyKey })),
    ...(idempotencyKey === "" && { idempotencyKey: undefined }),
    ...(name !== undefined && { name }),
  };
}

function withoutUndefined(submission: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(submission).filter(([, value]) => value !== undefined));
}

/** Checks one job of a flow as if it were submitted alone. */
export type CheckJob = (input: unknown, keyFaultOf?: typeof keyFault) => ValidSubmission;

/**
 * Checks everything about a flow that can be checked without Redis.
 *
 * @param isShared whether somebody may change the input: then all of it is checked before anything else runs
 * @throws HoldfastError with the code of the first job that is refused, and issues of all of them
 */
export async function validateFlow(check: CheckJob, input: unknown, isShared = false): Promise<ValidFlow> {
  const shape = flowSchema.safeParse(input);
  if (!shape.success) throw malformed(schemaIssues(shape.error.issues));
  const { onChildFailure } = shape.data;
  const refusals = new Refusals();
  const parent = refusals.in("/parent", () => validParent(check, shape.data.parent));
  if (parent === undefined) throw refusals.asOne();
  const checks = validChildren(check, parent, shape.data.children, refusals);
  let checked = checks.next();
  // Checking thousands must not keep others from being served.
  for (; checked.done !== true; checked = checks.next())
    if (!isShared) await new Promise((resolve) => setImmediate(resolve));
  const children = checked.value;
  if (refusals.first !== undefined) throw refusals.asOne();
  const texts = children.map(({ submission }) => `${submission.idempotencyKey}\0${submission.content}`);
  return {
    parent,
    children,
    onChildFailure: onChildFailure ?? parent.contract.onChildFailure,
    content: ["flow", parent.content, onChildFailure ?? "", ...texts].join("\0"),
  };
}

const TOGETHER = 200;

function validParent(check: CheckJob, sent: Readonly<Record<string, unknown>>): ValidSubmission {
  const parent = check(sent);
  const excluded = (["delayMs", "runAt", "startWithinMs"] as const).filter(
    (name) => parent.options[name] !== undefined,
  );
  const heldBy = parent.parts.find((part) => part.heldBy !== undefined)?.heldBy;
  requireOwnRun(parent);
  if (heldBy !== undefined) {
    const message = `expected a type without ${heldBy}: a parent that waits for its turn could keep its children from theirs`;
    throw malformed([{ pointer: "/type", message }]);
  }
  if (excluded.length === 0) return parent;
  const message = "expected none: a parent may run when its children have ended";
  throw malformed(excluded.map((name) => ({ pointer: `/options/${name}`, message })));
}

/** Pauses now and then. */
function* validChildren(
  check: CheckJob,
  parent: ValidSubmission,
  sent: z.output<typeof flowSchema>["children"],
  refusals: Refusals,
): Generator<void, ValidChild[]> {
  const children: ValidChild[] = [];
  const places = new Map([[placeOf(parent), "/parent"]]);
  for (const [index, child] of sent.entries()) {
    if (index % TOGETHER === TOGETHER - 1) yield;
    const pointer = `/children/${index}`;
    const valid = refusals.in(pointer, () => {
      const checked = validChild(check, parent, child, index);
      const same = places.get(placeOf(checked.submission));
      if (same !== undefined)
        throw malformed([{ pointer: "", message: `expected another type or key than ${same}` }]);
      return checked;
    });
    if (valid === undefined) continue;
    children.push(valid);
    places.set(placeOf(valid.submission), pointer);
  }
  return children;
}

function validChild(
  check: CheckJob,
  { contract, idempotencyKey }: ValidSubmission,
  { name: sentName, ...sent }: Readonly<Record<string, unknown>>,
  index: number,
): ValidChild {
  const named = childNameSchema.optional().safeParse(sentName);
  if (!named.success) throw malformed(schemaIssues(named.error.issues, ["name"]));
  const name = named.data ?? String(index);
  const key = sent.idempotencyKey ?? nextKey(contract.type, idempotencyKey, name);
  const faultOf = sent.idempotencyKey === undefined ? keyFault : undefined;
  const submission = check({ ...sent, idempotencyKey: key }, faultOf);
  requireOwnRun(submission);
  return { submission, name: named.data };
}

/** A flow names each of its jobs by its content. */
function requireOwnRun(submission: ValidSubmission): void {
  const option = wayInOf(submission)?.option;
  if (option === undefined) return;
  throw malformed([{ pointer: `/options/${option}`, message: "expected none for a job of a flow" }]);
}

/** A key belongs to a type. */
function placeOf({ contract, idempotencyKey }: ValidSubmission): string {
  return `${contract.type}\0${idempotencyKey}`;
}

const ISSUES_MAX = 100;

/** What is wrong with the jobs of a flow. */
class Refusals {
  first: HoldfastError | undefined;
  readonly #issues: Issue[] = [];

  /** @returns undefined where the job is refused */
  in<T>(pointer: string, check: () => T): T | undefined {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.first ??= error;
      this.#issues.push(...error.issues.map((issue) => ({ ...issue, pointer: pointer + issue.pointer })));
      return undefined;
    }
  }

  asOne(): HoldfastError {
    const { message } = malformed(this.#issues);
    const issues = this.#issues.slice(0, ISSUES_MAX);
    return new HoldfastError(this.first?.code ?? "INVALID_REQUEST", message, { cause: this.first, issues });
  }
}

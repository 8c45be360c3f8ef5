import { contractOf, type JobContract, type JobDefinition } from "../core/job/define-job.ts";
import type { PlainNameOf, Policies, ProbedNameOf } from "../core/job/effect.ts";
import { jobMembers } from "./declared.ts";

/**
 * Declares a job type.
 *
 * @throws HoldfastError `APPLICATION_INVALID` with one line per fault
 * @example
 * export const report = defineJob({
 *   type: "report",
 *   payload: z.strictObject({ month: z.string() }),
 *   result: z.strictObject({ pages: z.int() }),
 *   retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 5_000 } },
 *   timeoutMs: 60_000,
 * });
 */
export function defineJob<
  const Type extends string,
  PayloadIn,
  Payload,
  Result,
  const P extends Policies = Readonly<Record<never, never>>,
>(
  definition: JobDefinition<Type, PayloadIn, Payload, Result, P>,
): JobContract<Type, PayloadIn, Payload, Result, PlainNameOf<P>, ProbedNameOf<P>> {
  return contractOf(definition, jobMembers);
}

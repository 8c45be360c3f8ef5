import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import type { Application } from "../../core/job/application.ts";
import type { JointOptions, OpenPath } from "../../core/submit/joint-submission.ts";
import type { FlowReceipt } from "./flow.ts";
import { type CheckJob, type ValidFlow, validateFlow } from "./flow-input.ts";
import { acrossQueues } from "./flow-refusals.ts";

/**
 * Creates the jobs of a flow, as far as they do not exist.
 *
 * @param input parent, children and onChildFailure, as in the body of `POST /flows`
 * @returns the parent's receipt, when all jobs are durable to the configured level
 * @throws HoldfastError as `Submitter.submit`; `FLOW_ACROSS_QUEUES`, `CHILD_OF_OTHER_FLOW`
 */
export type SubmitFlow = (input: unknown, options?: JointOptions) => Promise<FlowReceipt>;

export function openFlowSubmitter(
  application: Pick<Application, "jobs">,
  { stores, submitter: { steps } }: OpenPath,
): SubmitFlow {
  const check: CheckJob = (input, keyFaultOf) => steps.validate(application, input, keyFaultOf);
  return async (input, { isShared, arrivedAt = performance.now() } = {}) => {
    try {
      const flow = await validateFlow(check, input, isShared);
      requireOneQueue(flow, stores);
      await steps.mayAccept();
      // Loaded with the first flow: most producers submit none.
      const { addFlow } = await import("./add-flow.ts");
      return await addFlow(stores, steps, flow, performance.now() - arrivedAt);
    } catch (error) {
      steps.onRefused(input, error);
      throw error;
    }
  };
}

/** BullMQ links jobs of one slot only, and a partition's jobs are where their keys say. */
function requireOneQueue({ parent, children }: ValidFlow, { layouts }: QueueStores): void {
  const { queue } = parent.contract;
  const { partitions } = layouts.of(queue);
  if (partitions > 1) throw acrossQueues(`queue "${queue}" has ${partitions} partitions`);
  const other = children.findIndex(({ submission }) => submission.contract.queue !== queue);
  if (other < 0) return;
  const { type, queue: found } = children[other]?.submission.contract ?? {};
  throw acrossQueues(
    `the parent's queue is "${queue}", that of "${type}" in /children/${other} is "${found}"`,
  );
}

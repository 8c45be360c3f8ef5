import { malformed } from "../../platform/lib/parse-json.ts";
import type { AddJob } from "../bullmq/add/dedup-trail.ts";
import { createJobAdder } from "../bullmq/add/job-adder.ts";
import type { Layouts } from "../bullmq/store/partitions.ts";
import type { QueueStores } from "../bullmq/store/queue-store.ts";
import type { JobContract } from "../job/contract.ts";
import { type KeyHolder, queueOfId } from "../job/job-id.ts";
import type { Receipt } from "../job/submit-options.ts";
import type { WayIn } from "./points.ts";
import type { ValidSubmission } from "./validate.ts";

/** Undefined for most jobs. */
export function wayInOf({ parts }: Pick<ValidSubmission, "parts">): WayIn | undefined {
  if (parts.length === 0) return undefined;
  return parts.find(({ wayIn }) => wayIn !== undefined)?.wayIn;
}

/** Opens each way in which jobs are added, once. */
export function openWays(
  openAdder: (adderOf: WayIn["createAdder"]) => AddJob,
): (wayIn: WayIn | undefined) => AddJob {
  const addPlain = openAdder(createJobAdder);
  const others = new Map<WayIn, AddJob>();
  return (wayIn) => {
    if (wayIn === undefined) return addPlain;
    const add = others.get(wayIn) ?? openAdder(wayIn.createAdder);
    others.set(wayIn, add);
    return add;
  };
}

/**
 * A partition knows only its own jobs.
 *
 * @throws HoldfastError `INVALID_REQUEST`
 */
export function requireWhole({ queue }: JobContract, layouts: Layouts, wayIn: WayIn | undefined): void {
  if (wayIn === undefined) return;
  const { partitions } = layouts.of(queue);
  if (partitions === 1) return;
  const message = `expected a queue without partitions, got "${queue}", which has ${partitions}`;
  throw malformed([{ pointer: `/options/${wayIn.option}`, message }]);
}

/** Adds to a receipt whether this submission has replaced another, or another this one. */
export function withReplacement(
  stores: QueueStores,
  wayIn: WayIn | undefined,
  receipt: Receipt,
  { submission, job }: KeyHolder,
): Receipt | Promise<Receipt> {
  if (wayIn === undefined) return receipt;
  if (receipt.duplicate) return wayIn.onRepeat(stores.of(queueOfId(job) ?? ""), receipt);
  return submission === job ? receipt : { ...receipt, replaces: true };
}

import { malformed } from "../../platform/lib/parse-json.ts";
import type { AddJob } from "../bullmq/add/dedup-trail.ts";
import { createJobAdder } from "../bullmq/add/job-adder.ts";
import type { Layouts } from "../bullmq/store/partitions.ts";
import type { JobContract } from "../job/contract.ts";
import type { OtherWay, WayIn } from "./points.ts";
import type { ValidSubmission } from "./validate.ts";

/** Undefined for most jobs. */
export function wayInOf({ parts }: Pick<ValidSubmission, "parts">): WayIn | undefined {
  if (parts.length === 0) return undefined;
  return parts.find(({ wayIn }) => wayIn !== undefined)?.wayIn;
}

/** Opens each way in which jobs are added, once. */
export function openWays(
  openAdder: (adderOf: OtherWay["createAdder"]) => AddJob,
): (wayIn: WayIn | undefined) => AddJob {
  const addPlain = openAdder(createJobAdder);
  const others = new Map<WayIn, AddJob>();
  return (wayIn) => {
    if (wayIn === undefined) return addPlain;
    const add = others.get(wayIn) ?? openLater(wayIn, openAdder);
    others.set(wayIn, add);
    return add;
  };
}

function openLater({ load }: WayIn, openAdder: (adderOf: OtherWay["createAdder"]) => AddJob): AddJob {
  let opened: AddJob | undefined;
  return async (homes, job) => {
    const { createAdder } = await load();
    opened ??= openAdder(createAdder);
    return await opened(homes, job);
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

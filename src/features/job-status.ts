import { z } from "zod";
import type { QueueStores } from "../core/bullmq/store/queue-store.ts";
import { type JobStatus, ownStatusSchema } from "../core/job/job-status.ts";
import { openStatusReader as openReader, type ReadStatus } from "../core/status/read-status.ts";
import { debounceStatus } from "./debounce/status.ts";
import { flowsStatus } from "./flows/status.ts";
import { heldStatus } from "./held-status.ts";
import { tagsStatus } from "./tags/status.ts";

const parts = [heldStatus, tagsStatus, flowsStatus, debounceStatus] as const;

type All<Members> = (Members extends unknown ? (members: Members) => void : never) extends (
  all: infer Every,
) => void
  ? Every
  : never;
const members = Object.assign({}, ...parts.map((part) => part.members)) as All<
  (typeof parts)[number]["members"]
>;

/** A job as anyone may see it. */
export const jobStatusSchema = ownStatusSchema.extend(members);

/** A job in a list: its status, and the key that it was submitted with. */
export const listedJobSchema = jobStatusSchema.extend({ idempotencyKey: z.string() });
export type ListedJob = JobStatus & { readonly idempotencyKey: string };

/** @param effectsMax how many effects of each job to read at most @default all */
export function openStatusReader(stores: QueueStores, effectsMax?: number): ReadStatus {
  return openReader(stores, parts, effectsMax);
}

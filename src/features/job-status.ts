import { z } from "zod";
import type { QueueStores } from "../core/bullmq/store/queue-store.ts";
import { type JobStatus, ownStatusSchema } from "../core/job/job-status.ts";
import {
  openStatusReader as openReader,
  type StatusPart,
  type StatusReader,
} from "../core/status/read-status.ts";
import { type All, features, type ListedFeature } from "./index.ts";

type StatusMembers = All<Extract<ListedFeature, { readonly status: StatusPart }>["status"]["members"]>;

const parts = features.flatMap(({ status }) => status ?? []);
const members = Object.assign({}, ...parts.map((part) => part.members)) as StatusMembers;

/** A job as anyone may see it. */
export const jobStatusSchema = ownStatusSchema.extend(members);

/** A job in a list: its status, and the key that it was submitted with. */
export const listedJobSchema = jobStatusSchema.extend({ idempotencyKey: z.string() });
export type ListedJob = JobStatus & { readonly idempotencyKey: string };

/** @param effectsMax how many effects of each job to read at most @default all */
export function openStatusReader(stores: QueueStores, effectsMax?: number): StatusReader {
  return openReader(stores, parts, effectsMax);
}

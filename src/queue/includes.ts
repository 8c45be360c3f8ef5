import { loadInclude } from "../redis/script.ts";

// Lua functions by which scripts of every room reach BullMQ's data. Each brings what it needs.
const encodingsLua = loadInclude(import.meta.url, "encodings.lua");
export const leaseLua = loadInclude(import.meta.url, "lease.lua");
export const jobStateLua = encodingsLua + loadInclude(import.meta.url, "job-state.lua");
const children = loadInclude(import.meta.url, "children.lua");
export const readJobLua = jobStateLua + children + loadInclude(import.meta.url, "read-job.lua");
const enqueue = loadInclude(import.meta.url, "fairness.lua") + loadInclude(import.meta.url, "enqueue.lua");
export const enqueueLua = encodingsLua + enqueue;
const lanes = loadInclude(import.meta.url, "lanes.lua");
const placeJob = loadInclude(import.meta.url, "place-job.lua");
export const placeJobLua = enqueueLua + lanes + placeJob;
export const letInLua = jobStateLua + enqueue + lanes + loadInclude(import.meta.url, "let-in.lua");
const flow = loadInclude(import.meta.url, "flow.lua");
export const endByHandLua = letInLua + flow;
export const placeInFlowLua =
  jobStateLua +
  enqueue +
  lanes +
  flow +
  placeJob +
  children +
  loadInclude(import.meta.url, "adopt-child.lua");
export const tagsLua = loadInclude(import.meta.url, "tags.lua");
export const removeEndedJobLua =
  jobStateLua + enqueue + tagsLua + loadInclude(import.meta.url, "remove-ended-job.lua");
/** After `nowLua` and what reads a job's state. */
export const recordActLua = loadInclude(import.meta.url, "record-act.lua");
export const lookAtChildrenLua = endByHandLua + loadInclude(import.meta.url, "look-at-children.lua");
export const retryFailedJobLua = lookAtChildrenLua + loadInclude(import.meta.url, "retry-failed-job.lua");

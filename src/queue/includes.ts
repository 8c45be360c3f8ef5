import { loadInclude } from "../redis/script.ts";

// Lua functions by which scripts of every room reach BullMQ's data. Each brings what it needs.
export const encodingsLua = loadInclude(import.meta.url, "encodings.lua");
export const leaseLua = loadInclude(import.meta.url, "lease.lua");
export const jobStateLua = encodingsLua + loadInclude(import.meta.url, "job-state.lua");
export const messagePatternLua = loadInclude(import.meta.url, "message-pattern.lua");
export const readJobLua = jobStateLua + loadInclude(import.meta.url, "read-job.lua");
const enqueue = loadInclude(import.meta.url, "fairness.lua") + loadInclude(import.meta.url, "enqueue.lua");
export const enqueueLua = encodingsLua + enqueue;
export const retryFailedJobLua = jobStateLua + enqueue + loadInclude(import.meta.url, "retry-failed-job.lua");
export const tagsLua = loadInclude(import.meta.url, "tags.lua");
export const deleteJobLua =
  jobStateLua + enqueue + tagsLua + loadInclude(import.meta.url, "remove-ended-job.lua");

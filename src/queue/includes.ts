import { loadInclude } from "../redis/script.ts";

const include = (file: string) => loadInclude(import.meta.url, file);

// Lua functions by which scripts of every room reach BullMQ's data. Each brings what it needs.
export const encodingsLua = include("encodings.lua");
export const leaseLua = include("lease.lua");
export const jobStateLua = encodingsLua + include("job-state.lua");
export const readJobLua = jobStateLua + include("read-job.lua");
const enqueue = include("enqueue.lua");
export const enqueueLua = encodingsLua + enqueue;
export const retryFailedJobLua = jobStateLua + enqueue + include("retry-failed-job.lua");

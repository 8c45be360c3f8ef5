/** BullMQ's own words. */
export const jobStates = ["waiting", "delayed", "prioritized", "active", "completed", "failed"] as const;
export type JobState = (typeof jobStates)[number];

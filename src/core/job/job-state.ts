/** BullMQ's own words. */
export const jobStates = [
  "waiting",
  "waiting-children",
  "delayed",
  "prioritized",
  "active",
  "completed",
  "failed",
] as const;
export const endedStates = ["completed", "failed"] as const;
export type JobState = (typeof jobStates)[number];

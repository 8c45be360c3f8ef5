import type { Schedule } from "holdfast";

/** Jobs that are due by the clock, without any request. */
export const schedules: readonly Schedule[] = [];

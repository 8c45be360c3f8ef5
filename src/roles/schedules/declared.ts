import { type Declaration, repeated } from "../../core/define/declaration.ts";
import type { Schedule } from "./define-schedule.ts";

declare module "../../core/job/declarations.ts" {
  interface ApplicationDeclarations {
    /** Schedules from `defineSchedule`. @default none */
    readonly schedules: readonly Schedule[];
  }
}

export const declaredSchedules: Declaration = {
  ofApplication: { schedules: { otherwise: [] } },
  faultsOf: ({ jobs, schedules = [] }) => [
    ...repeated(schedules.map(({ name }) => name)).map((name) => `schedule "${name}": declared twice`),
    ...schedules
      .filter(({ job }) => !jobs.includes(job))
      .map(({ name, job }) => `schedule "${name}": its job "${job.type}" is not listed in jobs`),
  ],
};

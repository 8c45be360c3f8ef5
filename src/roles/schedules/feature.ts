import { repeated } from "../../core/define/declaration.ts";
import type { Feature } from "../../core/feature.ts";
import type { DeclaredSchedule } from "./define-schedule.ts";
import { tickKeyFault } from "./tick-keys.ts";

declare module "../../core/job/declarations.ts" {
  interface ApplicationDeclarations {
    /** Schedules from `defineSchedule`. @default none */
    readonly schedules: readonly DeclaredSchedule[];
  }
}

/** A definition that was not given to `defineSchedule` has no ticks. */
function shapeFaults(schedules: unknown): string[] {
  if (!Array.isArray(schedules)) return ["schedules: expected a list of schedules"];
  return schedules.flatMap((schedule: unknown, at) =>
    schedule instanceof Object && "timetable" in schedule && "job" in schedule
      ? []
      : [`schedules[${at}]: expected a schedule, as defineSchedule returns it`],
  );
}

/** @internal What an application declares for its schedulers. */
export const schedules: Feature = {
  name: "schedules",
  ofApplication: { schedules: { otherwise: [] } },
  faultsOf: ({ jobs, schedules = [] }) => {
    const strangers = shapeFaults(schedules);
    if (strangers.length > 0) return strangers;
    return [
      ...repeated(schedules.map(({ name }) => name)).map((name) => `schedule "${name}": declared twice`),
      ...schedules
        .filter(({ job }) => !jobs.includes(job))
        .map(({ name, job }) => `schedule "${name}": its job "${job.type}" is not listed in jobs`),
    ];
  },
  clientKeyFaultOf: tickKeyFault,
};

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

/** @internal What an application declares for its schedulers. */
export const schedules: Feature = {
  name: "schedules",
  ofApplication: { schedules: { otherwise: [] } },
  faultsOf: ({ jobs, schedules = [] }) => [
    ...repeated(schedules.map(({ name }) => name)).map((name) => `schedule "${name}": declared twice`),
    ...schedules
      .filter(({ job }) => !jobs.includes(job))
      .map(({ name, job }) => `schedule "${name}": its job "${job.type}" is not listed in jobs`),
  ],
  clientKeyFaultOf: tickKeyFault,
};

import { HoldfastError } from "../errors/holdfast-error.ts";
import type { JobContract, JobHandler } from "./define-job.ts";
import type { Schedule } from "./define-schedule.ts";

/** What `holdfast.config.ts` exports: which jobs and schedules exist. */
export interface ApplicationDefinition {
  readonly jobs: readonly JobContract[];
  /** Loads what the jobs do. Called by the worker alone, so that nobody else loads a handler's code. */
  readonly handlers: () => Promise<readonly JobHandler[]>;
  readonly schedules?: readonly Schedule[];
}

/** An application, checked. */
export interface Application {
  readonly jobs: ReadonlyMap<string, JobContract>;
  /** The names of all queues that its jobs wait in, and, after them, of those that they waited in before. */
  readonly queues: readonly string[];
  readonly handlers: () => Promise<readonly JobHandler[]>;
  readonly schedules: readonly Schedule[];
}

/**
 * Declares an application.
 *
 * @throws HoldfastError `APPLICATION_INVALID` with one line per fault: a type or schedule named twice, a schedule for a
 *   job that is not listed
 */
export function defineConfig(definition: ApplicationDefinition): Application {
  const { jobs, schedules = [] } = definition;
  const faults = [
    ...repeated(jobs.map(({ type }) => type)).map((type) => `job "${type}": declared twice`),
    ...repeated(schedules.map(({ name }) => name)).map((name) => `schedule "${name}": declared twice`),
    ...schedules
      .filter(({ job }) => !jobs.includes(job))
      .map(({ name, job }) => `schedule "${name}": its job "${job.type}" is not listed in jobs`),
  ];
  if (faults.length > 0) throw new HoldfastError("APPLICATION_INVALID", faults.join("\n"));
  return {
    jobs: new Map(jobs.map((job) => [job.type, job])),
    queues: [
      ...new Set([...jobs.map(({ queue }) => queue), ...jobs.flatMap(({ formerQueues }) => formerQueues)]),
    ],
    handlers: definition.handlers,
    schedules,
  };
}

/** The environment variables that the jobs cannot do without, each with the types that require it. */
export function requiredVariables({ jobs }: Pick<Application, "jobs">): ReadonlyMap<string, string[]> {
  const types = new Map<string, string[]>();
  for (const [type, job] of jobs)
    for (const name of job.requiredVariables) types.set(name, [...(types.get(name) ?? []), type]);
  return types;
}

function repeated(names: readonly string[]): string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}

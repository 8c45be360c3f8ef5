import { HoldfastError } from "../errors/holdfast-error.ts";
import type { JobContract, JobHandler } from "./define-job.ts";
import type { Schedule } from "./define-schedule.ts";
import type { Schema } from "./schema.ts";

export interface ApplicationDefinition {
  /** Contracts from `defineJob`. Every process loads them. */
  readonly jobs: readonly JobContract[];
  /**
   * Imports the handlers. Only the worker calls it.
   *
   * @default none, for a process that only submits
   * @example async () => (await import("./jobs/handlers.js")).handlers
   */
  readonly handlers?: () => Promise<readonly JobHandler[]>;
  /** Schedules from `defineSchedule`. @default none */
  readonly schedules?: readonly Schedule[];
  /**
   * The application's own environment variables: an object schema with one member a variable. A worker does not start if one is
   * wrong. Handlers read them with `readEnv`.
   *
   * @default none
   * @example z.object({ SHOP_URL: z.url(), SHOP_TOKEN: z.string().meta({ secret: true }) })
   */
  readonly env?: Schema;
}

/** A valid application. */
export interface Application {
  readonly jobs: ReadonlyMap<string, JobContract>;
  /** The queues of its jobs, then their former queues. */
  readonly queues: readonly string[];
  readonly handlers: () => Promise<readonly JobHandler[]>;
  readonly schedules: readonly Schedule[];
  readonly env?: Schema | undefined;
}

/**
 * Declares an application: the default export of `holdfast.config.ts`.
 *
 * @throws HoldfastError `APPLICATION_INVALID` with one line per fault: a type or schedule that is declared twice, or a
 *   schedule whose job is not listed
 * @example
 * export default defineConfig({
 *   jobs: [report],
 *   handlers: async () => (await import("./jobs/handlers.js")).handlers,
 *   schedules: [monthlyReport],
 * });
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
    handlers: definition.handlers ?? (async () => []),
    schedules,
    env: definition.env,
  };
}

/** The environment variables that jobs require, each with the types that require it. */
export function requiredVariables({ jobs }: Pick<Application, "jobs">): ReadonlyMap<string, string[]> {
  const types = new Map<string, string[]>();
  for (const [type, job] of jobs)
    for (const name of job.requiredVariables) types.set(name, [...(types.get(name) ?? []), type]);
  return types;
}

function repeated(names: readonly string[]): string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}

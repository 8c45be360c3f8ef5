import type { Schedule } from "../../features/schedules/define-schedule.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { Schema } from "../../platform/lib/schema.ts";
import type { JobContract, JobHandler } from "./define-job.ts";
import { INTERNAL_QUEUE } from "./internal-queue.ts";
import { type QueueDefinition, type QueueSettings, queueFaults, queueSettings } from "./queue-settings.ts";

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
  /**
   * Settings of queues, by name.
   *
   * @default none
   * @example { mails: { concurrency: 50, rate: "100/1s" }, reports: { globalConcurrency: 2 } }
   */
  readonly queues?: Readonly<Record<string, QueueDefinition>>;
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
  /** What it declares for queues. */
  readonly queueSettings: ReadonlyMap<string, QueueSettings>;
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
  const { jobs, schedules = [], queues: declared = {} } = definition;
  const queues = [
    ...new Set([...jobs.map(({ queue }) => queue), ...jobs.flatMap(({ formerQueues }) => formerQueues)]),
  ];
  const faults = [
    ...repeated(jobs.map(({ type }) => type)).map((type) => `job "${type}": declared twice`),
    ...repeated(schedules.map(({ name }) => name)).map((name) => `schedule "${name}": declared twice`),
    ...schedules
      .filter(({ job }) => !jobs.includes(job))
      .map(({ name, job }) => `schedule "${name}": its job "${job.type}" is not listed in jobs`),
    ...(queues.includes(INTERNAL_QUEUE)
      ? [`queue "${INTERNAL_QUEUE}": Holdfast's own jobs wait there; choose another name`]
      : []),
    ...Object.entries(declared).flatMap(([name, settings]) => queueFaults(name, settings, queues)),
    ...dividedKeys(jobs, (queue) => declared[queue]?.partitions ?? 1),
  ];
  if (faults.length > 0) throw new HoldfastError("APPLICATION_INVALID", faults.join("\n"));
  return {
    jobs: new Map(jobs.map((job) => [job.type, job])),
    queues,
    queueSettings: new Map(
      Object.entries(declared).map(([name, settings]) => [name, queueSettings(settings)]),
    ),
    handlers: definition.handlers ?? (async () => []),
    schedules,
    env: definition.env,
  };
}

/**
 * A partition knows only its own jobs, so no limit for a key would hold in several.
 *
 * @returns a line for each type with keyed concurrency in a queue that has partitions
 */
export function dividedKeys(jobs: Iterable<JobContract>, partitionsOf: (queue: string) => number): string[] {
  return [...jobs]
    .filter(({ concurrency, queue }) => concurrency !== undefined && partitionsOf(queue) > 1)
    .map(
      ({ type, queue }) =>
        `job "${type}": concurrency: expected a queue without partitions, got "${queue}", which has ${partitionsOf(queue)}`,
    );
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

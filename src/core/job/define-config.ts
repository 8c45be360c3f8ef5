import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { Schema } from "../../platform/lib/schema.ts";
import { type ApplicationDeclarations, type DeclaredMembers, withDefaults } from "./declarations.ts";
import type { JobContract, JobHandler } from "./define-job.ts";
import { INTERNAL_QUEUE } from "./internal-queue.ts";
import { type QueueDefinition, type QueueSettings, queueFaults, queueSettings } from "./queue-settings.ts";

export interface ApplicationDefinition extends Partial<ApplicationDeclarations> {
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
   * Closes what `handlers` opened. A worker that has called `handlers` calls it once: when its last attempt has ended, or when it cannot
   * start. It has 5 s. What it throws is logged, and changes nothing.
   *
   * @default none
   * @example async () => (await import("./database.js")).pool.end()
   */
  readonly onStop?: () => void | Promise<void>;
  /**
   * Settings of queues, by name.
   *
   * @default none
   * @example { mails: { concurrency: 50, rate: "100/1s" }, reports: { globalConcurrency: 2 } }
   */
  readonly queues?: Readonly<Record<string, QueueDefinition>>;
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
export interface Application extends ApplicationDeclarations {
  readonly jobs: ReadonlyMap<string, JobContract>;
  /** The queues of its jobs, then their former queues. */
  readonly queues: readonly string[];
  /** What it declares for queues. */
  readonly queueSettings: ReadonlyMap<string, QueueSettings>;
  readonly handlers: () => Promise<readonly JobHandler[]>;
  readonly onStop?: (() => void | Promise<void>) | undefined;
  readonly env?: Schema | undefined;
}

/** What a feature lets contracts and applications declare. */
export interface Declaration {
  /** Members of a contract, by name. */
  readonly ofJob?: DeclaredMembers;
  /** Members of an application, by name. */
  readonly ofApplication?: DeclaredMembers;
  /** What is wrong with an application: one line each. */
  readonly faultsOf?: (application: ApplicationDefinition) => readonly string[];
  /** What is wrong with jobs in a queue that has several partitions: one line each. */
  readonly dividedFaultsOf?: (jobs: readonly JobContract[], partitionsOf: PartitionsOf) => readonly string[];
}

/** Returns how many partitions a queue has. */
export type PartitionsOf = (queue: string) => number;

/** @returns a line for each type that must not be in a queue with several partitions */
export function dividedFaults(
  declarations: readonly Declaration[],
  jobs: Iterable<JobContract>,
  partitionsOf: PartitionsOf,
): string[] {
  const all = [...jobs];
  return declarations.flatMap(({ dividedFaultsOf }) => dividedFaultsOf?.(all, partitionsOf) ?? []);
}

/**
 * Makes an application of its definition.
 *
 * @throws HoldfastError `APPLICATION_INVALID` with one line per fault
 */
export function applicationOf(
  definition: ApplicationDefinition,
  declarations: readonly Declaration[],
): Application {
  const { jobs, queues: declared = {} } = definition;
  const queues = [
    ...new Set([...jobs.map(({ queue }) => queue), ...jobs.flatMap(({ formerQueues }) => formerQueues)]),
  ];
  const faults = [
    ...repeated(jobs.map(({ type }) => type)).map((type) => `job "${type}": declared twice`),
    ...declarations.flatMap(({ faultsOf }) => faultsOf?.(definition) ?? []),
    ...(queues.includes(INTERNAL_QUEUE)
      ? [`queue "${INTERNAL_QUEUE}": Holdfast's own jobs wait there; choose another name`]
      : []),
    ...Object.entries(declared).flatMap(([name, settings]) => queueFaults(name, settings, queues)),
    ...dividedFaults(declarations, jobs, (queue) => declared[queue]?.partitions ?? 1),
  ];
  if (faults.length > 0) throw new HoldfastError("APPLICATION_INVALID", faults.join("\n"));
  const members = Object.assign({}, ...declarations.map(({ ofApplication }) => ofApplication));
  return {
    ...(withDefaults(members, definition) as unknown as ApplicationDeclarations),
    jobs: new Map(jobs.map((job) => [job.type, job])),
    queues,
    queueSettings: new Map(
      Object.entries(declared).map(([name, settings]) => [name, queueSettings(settings)]),
    ),
    handlers: definition.handlers ?? (async () => []),
    onStop: definition.onStop,
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

/** The names that occur more than once. */
export function repeated(names: readonly string[]): string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}

import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { isSchema } from "../../platform/lib/schema.ts";
import { type Application, dividedFaults } from "../job/application.ts";
import type { JobContract } from "../job/contract.ts";
import type { ApplicationDeclarations } from "../job/declarations.ts";
import { GUARD_QUEUE, INTERNAL_QUEUE, NOTICE_QUEUE } from "../job/internal-queue.ts";
import {
  type ApplicationDefinition,
  type Declaration,
  isContract,
  repeated,
  requireDefinition,
  unknownMembers,
  withDefaults,
} from "./declaration.ts";
import { queueFaults, queueSettings } from "./queue-settings.ts";

function knownMembers(declarations: readonly Declaration[]): string[] {
  const ofFeatures = declarations.flatMap(({ ofApplication = {} }) => Object.keys(ofApplication));
  return ["jobs", "handlers", "onStop", "queues", "env", ...ofFeatures];
}

/** Untyped code also gives what is no contract: a start would end in a `TypeError` somewhere inside. */
function shapeFaults({ jobs, handlers, onStop, queues = {}, env }: ApplicationDefinition): string[] {
  const isFunction = (value: unknown) => value === undefined || typeof value === "function";
  const isQueues = queues instanceof Object && !Array.isArray(queues);
  const isEnv = env === undefined || isSchema(env);
  return [
    ...(Array.isArray(jobs) ? jobs.flatMap(contractFaults) : ["jobs: expected a list of contracts"]),
    ...(isFunction(handlers)
      ? []
      : ["handlers: expected a function that returns them, such as async () => [reportHandler]"]),
    ...(isFunction(onStop) ? [] : ["onStop: expected a function"]),
    ...(isQueues ? [] : ["queues: expected settings by the name of their queue"]),
    ...(isEnv ? [] : ["env: expected a schema, such as z.object({ SHOP_URL: z.url() })"]),
  ];
}

function contractFaults(job: unknown, at: number): string[] {
  if (isContract(job)) return [];
  const isHandler = job instanceof Object && "run" in job && "job" in job;
  const hint = isHandler ? "; list handlers in handlers: async () => […]" : "";
  return [`jobs[${at}]: expected a contract, as defineJob returns it${hint}`];
}

/** Returns what declares an application. @param declarations what it may declare beside what all have */
export function openDefineConfig(declarations: readonly Declaration[]) {
  const members = Object.assign({}, ...declarations.map(({ ofApplication }) => ofApplication));
  return (definition: ApplicationDefinition): Application => {
    requireDefinition(definition, "defineConfig");
    const faults = faultsOf(definition, declarations);
    if (faults.length > 0) throw new HoldfastError("APPLICATION_INVALID", faults.join("\n"));
    const { jobs, queues: declared = {} } = definition;
    return {
      ...withDefaults<ApplicationDeclarations>(members, definition),
      jobs: new Map(jobs.map((job) => [job.type, job])),
      queues: queuesOf(jobs),
      queueSettings: new Map(
        Object.entries(declared).map(([name, settings]) => [name, queueSettings(settings)]),
      ),
      handlers: definition.handlers ?? (async () => []),
      onStop: definition.onStop,
      env: definition.env,
    };
  };
}

/** A line for each. */
function faultsOf(definition: ApplicationDefinition, declarations: readonly Declaration[]): string[] {
  const misshapen = [
    ...unknownMembers(Object.keys(definition), knownMembers(declarations)),
    ...shapeFaults(definition),
  ];
  if (misshapen.length > 0) return misshapen;
  const { jobs, queues: declared = {} } = definition;
  const queues = queuesOf(jobs);
  return [
    ...repeated(jobs.map(({ type }) => type)).map((type) => `job "${type}": declared twice`),
    ...declarations.flatMap(({ faultsOf }) => faultsOf?.(definition) ?? []),
    ...[INTERNAL_QUEUE, GUARD_QUEUE, NOTICE_QUEUE]
      .filter((name) => queues.includes(name))
      .map((name) => `queue "${name}": Holdfast has that name for itself; choose another one`),
    ...Object.entries(declared).flatMap(([name, settings]) => queueFaults(name, settings, queues)),
    ...dividedFaults(declarations, jobs, (queue) => declared[queue]?.partitions ?? 1),
  ];
}

/** The queues of these jobs, then their former queues. */
function queuesOf(jobs: readonly JobContract[]): string[] {
  return [
    ...new Set([...jobs.map(({ queue }) => queue), ...jobs.flatMap(({ formerQueues }) => formerQueues)]),
  ];
}

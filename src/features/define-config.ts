import { type Application, dividedFaults } from "../core/job/application.ts";
import type { ApplicationDeclarations } from "../core/job/declarations.ts";
import { INTERNAL_QUEUE } from "../core/job/internal-queue.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { suggestion } from "../platform/lib/did-you-mean.ts";
import { type ApplicationDefinition, repeated, withDefaults } from "./declaration.ts";
import { declarations } from "./declared.ts";
import { queueFaults, queueSettings } from "./queue-settings.ts";

/** Untyped code declares anything; a member that is written wrong would have no effect, unnoticed. */
function unknownMembers(definition: object): string[] {
  const ofFeatures = declarations.flatMap(({ ofApplication = {} }) => Object.keys(ofApplication));
  const known = ["jobs", "handlers", "onStop", "queues", "env", ...ofFeatures];
  return Object.keys(definition)
    .filter((name) => !known.includes(name))
    .map(
      (name) => `${name}: expected no such member; ${suggestion(name, known, `known: ${known.join(", ")}`)}`,
    );
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
  const { jobs, queues: declared = {} } = definition;
  const queues = [
    ...new Set([...jobs.map(({ queue }) => queue), ...jobs.flatMap(({ formerQueues }) => formerQueues)]),
  ];
  const faults = [
    ...unknownMembers(definition),
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
    ...withDefaults<ApplicationDeclarations>(members, definition),
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

import { SetMetadata } from "@nestjs/common";
import { MetadataScanner, type ModulesContainer } from "@nestjs/core";
import type { Application } from "../../core/job/application.ts";
import type { Attempt } from "../../core/job/attempt.ts";
import type { JobContract, JobHandler } from "../../core/job/contract.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";

/** The metadata of a method that handles a job: its contract. */
const HANDLES = "holdfast:handles";

/** A contract, as far as the compiler checks a method against it. */
export interface HandledJob<Run> {
  readonly type: string;
  handler(run: Run): unknown;
}

type AnyRun = (attempt: never) => Promise<unknown>;

/**
 * Makes a method of a provider the handler of a job. The method gets the attempt and returns the result; the compiler checks both against
 * the contract. Its provider must be a singleton, as providers are by default.
 *
 * @example
 * @HandlesJob(welcomeEmail)
 * async send({ payload, effect }: AttemptOf<typeof welcomeEmail>) { … }
 */
export function HandlesJob<Run extends AnyRun>(job: HandledJob<Run>) {
  return <Method extends Run>(
    target: object,
    name: string | symbol,
    descriptor: TypedPropertyDescriptor<Method>,
  ): void => {
    SetMetadata(HANDLES, job)(target, name, descriptor);
  };
}

interface Found {
  readonly job: JobContract;
  /** For people: `Mails.send`. */
  readonly place: string;
  readonly isSingleton: boolean;
  readonly handler: JobHandler;
}

/**
 * Finds the decorated methods of all providers and controllers.
 *
 * @throws HoldfastError `APPLICATION_INVALID` with a line for each job that has several handlers, and each handler whose job the application
 *   does not list or whose provider is no singleton
 */
export function findHandlers(modules: ModulesContainer, { jobs }: Application): JobHandler[] {
  const found = decoratedMethods(modules);
  const faults = [
    ...[...placesByType(found)]
      .filter(([, places]) => places.length > 1)
      .map(([type, places]) => `job "${type}": has several handlers: ${places.join(", ")}`),
    ...found
      .filter(({ job }) => !jobs.has(job.type))
      .map(
        ({ job, place }) => `${place}: handles "${job.type}", which is not listed in the application's jobs`,
      ),
    ...found
      .filter(({ isSingleton }) => !isSingleton)
      .map(
        ({ place }) => `${place}: its provider is request-scoped or transient; a handler needs a singleton`,
      ),
  ];
  if (faults.length > 0) throw new HoldfastError("APPLICATION_INVALID", faults.join("\n"));
  return found.map(({ handler }) => handler);
}

function placesByType(found: readonly Found[]): Map<string, string[]> {
  const places = new Map<string, string[]>();
  for (const { job, place } of found) places.set(job.type, [...(places.get(job.type) ?? []), place]);
  return places;
}

function decoratedMethods(modules: ModulesContainer): Found[] {
  const scanner = new MetadataScanner();
  // An alias has the same instance.
  const seen = new Set<unknown>();
  return [...modules.values()]
    .flatMap(({ providers, controllers }) => [...providers.values(), ...controllers.values()])
    .flatMap((wrapper) => {
      const instance: unknown = wrapper.instance;
      if (typeof instance !== "object" || instance === null || seen.has(instance)) return [];
      seen.add(instance);
      return scanner
        .getAllMethodNames(Object.getPrototypeOf(instance))
        .flatMap((name) => methodOf(instance, name, wrapper.isDependencyTreeStatic()));
    });
}

function methodOf(instance: object, name: string, isSingleton: boolean): Found[] {
  const method: unknown = Reflect.get(instance, name);
  if (typeof method !== "function") return [];
  const job: JobContract | undefined = Reflect.getMetadata(HANDLES, method);
  if (job === undefined) return [];
  const run = (attempt: Attempt) => method.call(instance, attempt);
  return [{ job, place: `${instance.constructor.name}.${name}`, isSingleton, handler: job.handler(run) }];
}

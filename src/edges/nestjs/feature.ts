import type { DynamicModule } from "@nestjs/common";
import type { ModulesContainer } from "@nestjs/core";
import { type Application, dividedFaults } from "../../core/job/application.ts";
import type { JobContract } from "../../core/job/contract.ts";
import { defineConfig } from "../../features/define.ts";
import { features } from "../../features/index.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";

/** The module that a feature's contracts are in. */
class HoldfastFeatureModule {}

const JOBS = Symbol("jobs of a feature");

export function featureOf(jobs: readonly JobContract[]): DynamicModule {
  return { module: HoldfastFeatureModule, providers: [{ provide: JOBS, useValue: jobs }] };
}

/** Whether a value is an application, and not options. */
export function isApplication(value: object): value is Application {
  return "jobs" in value && value.jobs instanceof Map;
}

/**
 * An application with the contracts of all features that a container has, whichever module imports them.
 *
 * @throws HoldfastError `APPLICATION_INVALID`
 */
export function withFeatures(application: Application, modules: ModulesContainer): Application {
  const added = new Set(
    [...modules.values()]
      .filter(({ metatype }) => metatype === HoldfastFeatureModule)
      .flatMap(({ providers }) => providers.get(JOBS)?.instance as readonly JobContract[])
      .filter((job) => application.jobs.get(job.type) !== job),
  );
  if (added.size === 0) return application;
  const { jobs, queues } = defineConfig({ jobs: [...application.jobs.values(), ...added] });
  const partitionsOf = (queue: string) => application.queueSettings.get(queue)?.partitions ?? 1;
  const faults = dividedFaults(features, jobs.values(), partitionsOf);
  if (faults.length > 0) throw new HoldfastError("APPLICATION_INVALID", faults.join("\n"));
  return { ...application, jobs, queues };
}

import type { DynamicModule, FactoryProvider, ModuleMetadata } from "@nestjs/common";
import { HttpAdapterHost, ModulesContainer } from "@nestjs/core";
import type { Application } from "../../core/job/application.ts";
import type { JobContract } from "../../core/job/contract.ts";
import { defineConfig } from "../../features/define.ts";
import { HoldfastOperator, HoldfastProducer } from "./connections.ts";
import { featureOf, isApplication, withFeatures } from "./feature.ts";
import { HoldfastHealth } from "./health.ts";
import { HoldfastApi } from "./mounted-api.ts";
import { openLate } from "./open-late.ts";
import type { HoldfastModuleOptions } from "./options.ts";
import { HoldfastWorker, HoldfastWorkerModule } from "./worker.ts";

const OPTIONS = Symbol("options of HoldfastModule");
/** With the contracts of all features. */
const APPLICATION = Symbol("application of HoldfastModule");
/** Provided where `holdfast worker` brings the container up. */
export const RUN_ELSEWHERE = Symbol("the worker is run elsewhere");

export interface HoldfastModuleAsyncOptions
  extends Pick<ModuleMetadata, "imports">,
    Pick<FactoryProvider<HoldfastModuleOptions>, "inject" | "useFactory"> {}

/**
 * Holdfast in a Nest application: a producer, an operator and a health indicator to inject everywhere, and a worker for the methods with
 * `HandlesJob`.
 */
// biome-ignore lint/complexity/noStaticOnlyClass: a module of Nest is a class
export class HoldfastModule {
  /**
   * Import it once, in the root module.
   *
   * @param application from `defineConfig`; its `handlers` run too, if it has some. Without it all contracts come from `forFeature`
   * @example imports: [HoldfastModule.forRoot(application)]
   */
  static forRoot(application: Application, options?: HoldfastModuleOptions): DynamicModule;
  static forRoot(options?: HoldfastModuleOptions): DynamicModule;
  static forRoot(
    first: Application | HoldfastModuleOptions = {},
    options: HoldfastModuleOptions = {},
  ): DynamicModule {
    if (isApplication(first)) return moduleOf(first, { useFactory: () => options });
    return moduleOf(withoutJobs(), { useFactory: () => first });
  }

  /**
   * As `forRoot`, with options that other providers know.
   *
   * @example
   * HoldfastModule.forRootAsync(application, {
   *   inject: [ConfigService],
   *   useFactory: (config: ConfigService) => ({ env: { REDIS_URL: config.getOrThrow("REDIS_URL") } }),
   * })
   */
  static forRootAsync(application: Application, options: HoldfastModuleAsyncOptions): DynamicModule;
  static forRootAsync(options: HoldfastModuleAsyncOptions): DynamicModule;
  static forRootAsync(
    ...given: [Application, HoldfastModuleAsyncOptions] | [HoldfastModuleAsyncOptions]
  ): DynamicModule {
    return given.length === 2 ? moduleOf(...given) : moduleOf(withoutJobs(), given[0]);
  }

  /**
   * Adds the contracts of a feature to the application, in the module that has their handlers. `holdfast worker` and the other roles load no
   * modules: they read the contracts of `nestApplication`.
   *
   * @example imports: [HoldfastModule.forFeature([welcome])]
   */
  static forFeature(jobs: readonly JobContract[]): DynamicModule {
    return featureOf(jobs);
  }
}

function withoutJobs(): Application {
  return defineConfig({ jobs: [] });
}

/** Outside of the class: one that names itself gets another name in the build, and Nest logs that. */
function moduleOf(
  given: Application,
  { imports = [], inject = [], useFactory }: HoldfastModuleAsyncOptions,
): DynamicModule {
  const options: FactoryProvider = { provide: OPTIONS, inject, useFactory };
  const application: FactoryProvider = {
    provide: APPLICATION,
    inject: [ModulesContainer],
    useFactory: (modules: ModulesContainer) => withFeatures(given, modules),
  };
  const api: FactoryProvider = {
    provide: HoldfastApi,
    inject: [OPTIONS, HttpAdapterHost, { token: RUN_ELSEWHERE, optional: true }],
    useFactory: ({ mount }: HoldfastModuleOptions, host: HttpAdapterHost, isRunElsewhere = false) =>
      new HoldfastApi(isRunElsewhere ? undefined : mount, host),
  };
  const worker: DynamicModule = {
    module: HoldfastWorkerModule,
    providers: [
      {
        provide: HoldfastWorker,
        inject: [
          ModulesContainer,
          APPLICATION,
          OPTIONS,
          HoldfastProducer,
          HoldfastOperator,
          HoldfastApi,
          { token: RUN_ELSEWHERE, optional: true },
        ],
        useFactory: (...parts: ConstructorParameters<typeof HoldfastWorker>) => new HoldfastWorker(...parts),
      },
    ],
  };
  return {
    module: HoldfastModule,
    global: true,
    imports: [...imports, worker],
    providers: [options, application, api, ...connections],
    exports: [OPTIONS, APPLICATION, HoldfastApi, HoldfastProducer, HoldfastOperator, HoldfastHealth],
  };
}

/** Loaded when they connect: tests of handlers import the module, too. */
const connections: FactoryProvider[] = [
  {
    provide: HoldfastProducer,
    inject: [APPLICATION, OPTIONS],
    useFactory: (application: Application, { env, logger }: HoldfastModuleOptions) =>
      openLate(async () => {
        const { createProducer } = await import("../../desk/create-producer.ts");
        return await createProducer(application, env, logger && { logger });
      }),
  },
  {
    provide: HoldfastOperator,
    inject: [APPLICATION, OPTIONS],
    useFactory: (application: Application, { env }: HoldfastModuleOptions) =>
      openLate(async () => {
        const { createOperator } = await import("../../desk/operator.ts");
        return await createOperator(application, env);
      }),
  },
  {
    provide: HoldfastHealth,
    inject: [HoldfastOperator],
    useFactory: (operator: HoldfastOperator) => new HoldfastHealth(operator),
  },
];

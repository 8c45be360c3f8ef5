import type { DynamicModule, FactoryProvider, ModuleMetadata } from "@nestjs/common";
import { ModulesContainer } from "@nestjs/core";
import type { Application } from "../../core/job/application.ts";
import { HoldfastOperator, HoldfastProducer, stoppedLast } from "./connections.ts";
import { HoldfastHealth } from "./health.ts";
import type { HoldfastModuleOptions } from "./options.ts";
import { HoldfastWorker, HoldfastWorkerModule } from "./worker.ts";

const OPTIONS = Symbol("options of HoldfastModule");
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
   * @param application from `defineConfig`; its `handlers` run too, if it has some
   * @example imports: [HoldfastModule.forRoot(application)]
   */
  static forRoot(application: Application, options: HoldfastModuleOptions = {}): DynamicModule {
    return moduleOf(application, { useFactory: () => options });
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
  static forRootAsync(application: Application, options: HoldfastModuleAsyncOptions): DynamicModule {
    return moduleOf(application, options);
  }
}

/** Outside of the class: one that names itself gets another name in the build, and Nest logs that. */
function moduleOf(
  application: Application,
  { imports = [], inject = [], useFactory }: HoldfastModuleAsyncOptions,
): DynamicModule {
  const options: FactoryProvider = { provide: OPTIONS, inject, useFactory };
  const worker: DynamicModule = {
    module: HoldfastWorkerModule,
    providers: [
      {
        provide: HoldfastWorker,
        inject: [ModulesContainer, OPTIONS, { token: RUN_ELSEWHERE, optional: true }],
        useFactory: (modules: ModulesContainer, given: HoldfastModuleOptions, isRunElsewhere = false) =>
          new HoldfastWorker(modules, application, given, isRunElsewhere),
      },
    ],
  };
  return {
    module: HoldfastModule,
    global: true,
    imports: [...imports, worker],
    providers: [options, ...connections(application)],
    exports: [OPTIONS, HoldfastProducer, HoldfastOperator, HoldfastHealth],
  };
}

/** Loaded when they connect: tests of handlers import the module, too. */
function connections(application: Application): FactoryProvider[] {
  return [
    {
      provide: HoldfastProducer,
      inject: [OPTIONS],
      useFactory: async ({ env, logger }: HoldfastModuleOptions) => {
        const { createProducer } = await import("../../desk/create-producer.ts");
        return stoppedLast(await createProducer(application, env, logger && { logger }));
      },
    },
    {
      provide: HoldfastOperator,
      inject: [OPTIONS],
      useFactory: async ({ env }: HoldfastModuleOptions) => {
        const { createOperator } = await import("../../desk/operator.ts");
        return stoppedLast(await createOperator(application, env));
      },
    },
    {
      provide: HoldfastHealth,
      inject: [HoldfastOperator],
      useFactory: (operator: HoldfastOperator) => new HoldfastHealth(operator),
    },
  ];
}

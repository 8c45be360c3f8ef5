import type { ModulesContainer } from "@nestjs/core";
import type { Application } from "../../core/job/application.ts";
import type { JobHandler } from "../../core/job/contract.ts";
import type { Running } from "../../platform/lib/running.ts";
import { findHandlers } from "./handles-job.ts";
import { nestLogger } from "./nest-logger.ts";
import type { HoldfastModuleOptions } from "./options.ts";

/** The module that the worker is in. */
export class HoldfastWorkerModule {}

/** Starts a worker when the application is up, and stops it before anything that its handlers may need. */
export class HoldfastWorker {
  readonly #modules: ModulesContainer;
  readonly #application: Application;
  readonly #options: HoldfastModuleOptions;
  readonly #isRunElsewhere: boolean;
  #running: Running | undefined;

  /** @param isRunElsewhere whether `holdfast worker` brings the container up, and runs what it finds there */
  constructor(
    modules: ModulesContainer,
    application: Application,
    options: HoldfastModuleOptions,
    isRunElsewhere: boolean,
  ) {
    this.#modules = modules;
    this.#application = application;
    this.#options = options;
    this.#isRunElsewhere = isRunElsewhere;
    startLastAndStopFirst(modules);
  }

  /** @throws HoldfastError `APPLICATION_INVALID` */
  handlers(): JobHandler[] {
    return findHandlers(this.#modules, this.#application);
  }

  async onApplicationBootstrap(): Promise<void> {
    const found = this.handlers();
    const {
      worker = found.length > 0,
      env,
      logger = nestLogger(env),
      queues,
      except,
      onFailed,
    } = this.#options;
    if (this.#isRunElsewhere || !worker) return;
    const { startWorker } = await import("../../desk/start-worker.ts");
    const others = this.#application.handlers;
    const handlers = async () => [...(await others()), ...found];
    const hooks = onFailed === undefined ? {} : { onFailed };
    this.#running = await startWorker({ ...this.#application, handlers }, env, {
      logger,
      queues,
      except,
      ...hooks,
    });
  }

  async onModuleDestroy(): Promise<void> {
    await this.#running?.stop();
  }
}

/**
 * Nest calls `onModuleDestroy` of one module after another, the nearest to the root first, and that is where many a provider closes its
 * connections. So the worker's module is the nearest.
 */
function startLastAndStopFirst(modules: ModulesContainer): void {
  for (const module of modules.values()) if (module.metatype === HoldfastWorkerModule) module.distance = -1;
}

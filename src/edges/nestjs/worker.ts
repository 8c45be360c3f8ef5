import type { ModulesContainer } from "@nestjs/core";
import type { Application } from "../../core/job/application.ts";
import type { JobHandler } from "../../core/job/contract.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import { type Running, stopAll } from "../../platform/lib/running.ts";
import type { HoldfastOperator, HoldfastProducer } from "./connections.ts";
import { findHandlers } from "./handles-job.ts";
import type { HoldfastApi } from "./mounted-api.ts";
import { nestLogger } from "./nest-logger.ts";
import { openPart } from "./open-late.ts";
import type { HoldfastModuleOptions } from "./options.ts";

/** The module that the worker is in. */
export class HoldfastWorkerModule {}

/** Connects everything and starts a worker when the application is up, and stops the worker before anything that its handlers may need. */
export class HoldfastWorker {
  /** With the contracts of all features. */
  readonly application: Application;
  readonly #modules: ModulesContainer;
  readonly #options: HoldfastModuleOptions;
  readonly #producer: HoldfastProducer;
  readonly #operator: HoldfastOperator;
  readonly #api: HoldfastApi;
  readonly #isRunElsewhere: boolean;
  #running: Running | undefined;

  /** @param isRunElsewhere whether `holdfast worker` brings the container up, and runs what it finds there */
  constructor(
    modules: ModulesContainer,
    application: Application,
    options: HoldfastModuleOptions,
    producer: HoldfastProducer,
    operator: HoldfastOperator,
    api: HoldfastApi,
    isRunElsewhere = false,
  ) {
    this.#modules = modules;
    this.application = application;
    this.#options = options;
    this.#producer = producer;
    this.#operator = operator;
    this.#api = api;
    this.#isRunElsewhere = isRunElsewhere;
    startLastAndStopFirst(modules);
  }

  /** @throws HoldfastError `APPLICATION_INVALID` */
  handlers(): JobHandler[] {
    return findHandlers(this.#modules, this.application);
  }

  /** The last step of the application's start, so that nobody else's failure leaves anything open. */
  async onApplicationBootstrap(): Promise<void> {
    try {
      await this.#start(this.handlers());
    } catch (error) {
      await stopAll([this.#producer, this.#operator, this.#api, this.#running ?? {}]);
      throw error;
    }
  }

  async #start(found: readonly JobHandler[]): Promise<void> {
    const { worker = found.length > 0, env, logger = nestLogger(env) } = this.#options;
    await openPart(this.#producer);
    await openPart(this.#operator);
    await this.#api.open(this.application, env, logger);
    if (worker && !this.#isRunElsewhere) this.#running = await this.#startWorker(found, logger);
  }

  async #startWorker(found: readonly JobHandler[], logger: Logger): Promise<Running> {
    const { env, queues, except, onFailed } = this.#options;
    const { startWorker } = await import("../../desk/start-worker.ts");
    const others = this.application.handlers;
    const handlers = async () => [...(await others()), ...found];
    const hooks = onFailed === undefined ? {} : { onFailed };
    return await startWorker({ ...this.application, handlers }, env, { logger, queues, except, ...hooks });
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

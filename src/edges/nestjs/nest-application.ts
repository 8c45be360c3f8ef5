import type { DynamicModule, INestApplicationContext, Type } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import type { Application } from "../../core/job/application.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { RUN_ELSEWHERE } from "./holdfast-module.ts";
import { HoldfastWorker } from "./worker.ts";

class CommandModule {}

/**
 * Lets `holdfast worker` run the handlers of a Nest application: it brings up the container, without an HTTP server, and closes it after the
 * last attempt. The other roles and commands only read the contracts.
 *
 * @param application what `HoldfastModule` was given
 * @param load imports the root module; only the worker calls it
 * @example export default nestApplication(application, async () => (await import("./app.module.js")).AppModule);
 */
export function nestApplication(
  application: Application,
  load: () => Promise<Type | DynamicModule>,
): Application {
  const contexts: INestApplicationContext[] = [];
  return {
    ...application,
    async handlers() {
      const context = await NestFactory.createApplicationContext(
        {
          module: CommandModule,
          global: true,
          imports: [await load()],
          providers: [{ provide: RUN_ELSEWHERE, useValue: true }],
          exports: [RUN_ELSEWHERE],
        },
        { abortOnError: false },
      );
      contexts.push(context);
      const worker = context.get(HoldfastWorker, { strict: false });
      refuseUnlisted(application, worker.application);
      return [...(await application.handlers()), ...worker.handlers()];
    },
    async onStop() {
      await contexts.pop()?.close();
      await application.onStop?.();
    },
  };
}

/** Roles read contracts without the container, so `forFeature` alone does not tell them. */
function refuseUnlisted({ jobs }: Application, { jobs: all }: Application): void {
  const faults = [...all.keys()]
    .filter((type) => !jobs.has(type))
    .map((type) => `job "${type}": is in a forFeature, and not in the application of nestApplication`);
  if (faults.length > 0) throw new HoldfastError("APPLICATION_INVALID", faults.join("\n"));
}

import { repeated } from "../core/define/declaration.ts";
import type { Application } from "../core/job/application.ts";
import type { JobHandler } from "../core/job/contract.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";

/** @throws HoldfastError `APPLICATION_INVALID` with a line for each job with no handler or several, and each handler without a job */
export async function loadHandlers(application: Application): Promise<ReadonlyMap<string, JobHandler>> {
  const loaded = await handlersOf(application);
  const handlers = new Map(loaded.map((handler) => [handler.job.type, handler]));
  const faults = [
    ...repeated(loaded.map(({ job }) => job.type)).map((type) => `job "${type}": has several handlers`),
    ...[...application.jobs.keys()]
      .filter((type) => !handlers.has(type))
      .map(
        (type) =>
          `job "${type}": has no handler; add it to what \`handlers\` of defineConfig returns, or with NestJS a method with @HandlesJob`,
      ),
    ...[...handlers.keys()]
      .filter((type) => !application.jobs.has(type))
      .map((type) => `handler "${type}": its job is not listed in jobs`),
  ];
  if (faults.length > 0) throw new HoldfastError("APPLICATION_INVALID", faults.join("\n"));
  return handlers;
}

/** Untyped code returns anything, such as a list that its module does not export. */
async function handlersOf(application: Application): Promise<readonly JobHandler[]> {
  const loaded: unknown = await (async () => await application.handlers())().catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HoldfastError("APPLICATION_INVALID", `the handlers cannot be loaded: ${reason}`, { cause });
  });
  if (Array.isArray(loaded) && loaded.every(isHandler)) return loaded;
  const message =
    "handlers: expected a function that returns a list of handlers, as a contract's handler() makes them";
  throw new HoldfastError("APPLICATION_INVALID", message);
}

function isHandler(value: unknown): value is JobHandler {
  return value instanceof Object && "run" in value && "job" in value;
}

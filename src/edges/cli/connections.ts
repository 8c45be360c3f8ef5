import type { Application } from "../../core/job/define-config.ts";
import type { Submitter } from "../../core/submit/submitter.ts";
import type { Operator } from "../../desk/operator.ts";
import { readSettings, type Settings } from "../../platform/config/settings.ts";
import type { FitRedis } from "../../platform/redis/connect.ts";
import { loadApplication } from "./load-application.ts";

// Commands load their code when they run, so that `--help` is quick, and before the application: afterwards every module
// passes through tsx.

/** Connects to Redis for one command. */
export async function withStore<T>(use: (store: FitRedis, settings: Settings) => Promise<T>): Promise<T> {
  const configured = readSettings();
  const { connectRedis } = await import("../../platform/redis/connect.ts");
  const store = await connectRedis(configured, "fail-fast");
  try {
    return await use(store, { ...configured, HOLDFAST_DURABILITY: store.durability });
  } finally {
    await store.stop();
  }
}

/** Loads the application and connects to Redis for one command. */
export async function withApplication<T>(
  use: (application: Application, store: FitRedis, settings: Settings) => Promise<T>,
): Promise<T> {
  await import("../../platform/redis/connect.ts");
  const application = await loadApplication(readSettings().HOLDFAST_CONFIG);
  return await withStore((store, settings) => use(application, store, settings));
}

/** Opens an operator for one command. */
export async function withOperator<T>(
  use: (operator: Operator, application: Application) => Promise<T>,
): Promise<T> {
  const { createOperator } = await import("../../desk/operator.ts");
  const application = await loadApplication(readSettings().HOLDFAST_CONFIG);
  const operator = await createOperator(application);
  // Not `await using`: TypeScript 6.0 then does not rewrite the `.ts` in import paths.
  try {
    return await use(operator, application);
  } finally {
    await operator[Symbol.asyncDispose]();
  }
}

/** Opens the submit path for one command. */
export async function withSubmitter<T>(
  use: (submitter: Submitter, application: Application) => Promise<T>,
): Promise<T> {
  const settings = readSettings();
  const [{ openSubmitPath }, { features }] = await Promise.all([
    import("../../core/submit/submit-path.ts"),
    import("../../features/index.ts"),
  ]);
  const application = await loadApplication(settings.HOLDFAST_CONFIG);
  const { submitter, stop } = await openSubmitPath(application, settings, features);
  try {
    return await use(submitter, application);
  } finally {
    await stop();
  }
}

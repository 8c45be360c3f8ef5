import type { Application } from "../../core/job/application.ts";
import type { SubmitPath } from "../../core/submit/submit-path.ts";
import type { Operator } from "../../desk/operator.ts";
import { readSettings, type Settings } from "../../platform/config/settings.ts";
import type { FitRedis } from "../../platform/redis/connect.ts";
import { loadApplication, loadApplicationIfAny } from "./load-application.ts";

// Commands load their code when they run, so that `--help` is quick, and before the application: afterwards every module
// passes through tsx.

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

/** The same where there may be no application: what guards know is in Redis. */
export async function withOperatorIfAny<T>(use: (operator: Operator) => Promise<T>): Promise<T> {
  return await withOperator(use, loadApplicationIfAny);
}

export async function withOperator<T>(
  use: (operator: Operator, application: Application) => Promise<T>,
  load = loadApplication,
): Promise<T> {
  const { createOperator } = await import("../../desk/operator.ts");
  const application = await load(readSettings().HOLDFAST_CONFIG);
  const operator = await createOperator(application);
  // Not `await using`: TypeScript 6.0 then does not rewrite the `.ts` in import paths.
  try {
    return await use(operator, application);
  } finally {
    await operator[Symbol.asyncDispose]();
  }
}

export async function withSubmitPath<T>(
  use: (path: SubmitPath, application: Application) => Promise<T>,
): Promise<T> {
  const settings = readSettings();
  const [{ openSubmitPath }, { features }] = await Promise.all([
    import("../../core/submit/submit-path.ts"),
    import("../../features/index.ts"),
  ]);
  const application = await loadApplication(settings.HOLDFAST_CONFIG);
  const path = await openSubmitPath(application, settings, features);
  try {
    return await use(path, application);
  } finally {
    await path.stop();
  }
}

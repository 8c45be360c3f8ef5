import { readSettings, type Settings } from "../config/settings.ts";
import type { Application } from "../job/define-config.ts";
import type { Operator } from "../operate/operator.ts";
import type { ConnectedRedis } from "../redis/connect.ts";
import type { Submitter } from "../submit/submitter.ts";
import { loadApplication } from "./load-application.ts";

// What commands are done with is loaded when one is run: `--help` and a wrong usage wait for none of it. It comes before the
// application, since everything after that passes tsx.

/** Connects to the store for the time of one command. */
export async function withStore<T>(
  use: (store: ConnectedRedis, settings: Settings) => Promise<T>,
): Promise<T> {
  const settings = readSettings();
  const { connectRedis } = await import("../redis/connect.ts");
  const store = await connectRedis(settings, "fail-fast");
  try {
    return await use(store, settings);
  } finally {
    await store.stop();
  }
}

/** Connects to the store for the time of one command about the application. */
export async function withApplication<T>(
  use: (application: Application, store: ConnectedRedis, settings: Settings) => Promise<T>,
): Promise<T> {
  await import("../redis/connect.ts");
  const application = await loadApplication(readSettings().HOLDFAST_CONFIG);
  return await withStore((store, settings) => use(application, store, settings));
}

/** Opens an operator's hand on the application for the time of one command. */
export async function withOperator<T>(use: (operator: Operator) => Promise<T>): Promise<T> {
  const { createOperator } = await import("../operate/operator.ts");
  const operator = await createOperator(await loadApplication(readSettings().HOLDFAST_CONFIG));
  // Not `await using`: TypeScript 6.0 leaves the ending of an import beside it as it is, and there is no .ts in the build.
  try {
    return await use(operator);
  } finally {
    await operator[Symbol.asyncDispose]();
  }
}

/** Opens the submit path for the time of one command. */
export async function withSubmitter<T>(use: (submitter: Submitter) => Promise<T>): Promise<T> {
  const settings = readSettings();
  const { openSubmitPath } = await import("../submit/submit-path.ts");
  const application = await loadApplication(settings.HOLDFAST_CONFIG);
  const { submitter, stop } = await openSubmitPath(application, settings);
  try {
    return await use(submitter);
  } finally {
    await stop();
  }
}

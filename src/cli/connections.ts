import { readSettings, type Settings } from "../config/settings.ts";
import type { Application } from "../contract/define-config.ts";
import { loadApplication } from "../contract/load-application.ts";
import { type Operator, openOperator } from "../operate/operator.ts";
import { connectStore, type Store } from "../store/connect.ts";
import { openSubmitPath, type SubmitPath } from "../submit/submit-path.ts";

/** Connects to the store for the time of one command. */
export async function withStore<T>(use: (store: Store, settings: Settings) => Promise<T>): Promise<T> {
  const settings = readSettings();
  const store = await connectStore(settings, "prompt");
  try {
    return await use(store, settings);
  } finally {
    await store.stop();
  }
}

/** Opens an operator's hand on the application for the time of one command. */
export async function withOperator<T>(use: (operator: Operator) => Promise<T>): Promise<T> {
  return await withQueues((path, settings, application) => use(openOperator(application, path, settings)));
}

/** Opens the application's queues for the time of one command. */
export async function withQueues<T>(
  use: (path: SubmitPath, settings: Settings, application: Application) => Promise<T>,
): Promise<T> {
  const settings = readSettings();
  const application = await loadApplication(settings.HOLDFAST_CONFIG);
  const path = await openSubmitPath(application, settings);
  try {
    return await use(path, settings, application);
  } finally {
    await path.stop();
  }
}

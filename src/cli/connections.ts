import { readSettings } from "../config/settings.ts";
import { loadApplication } from "../contract/load-application.ts";
import { stopAll } from "../service/running.ts";
import { connectStore, type Store } from "../store/connect.ts";
import { createSubmitter, type Submitter } from "../submit/submitter.ts";

/** Connects for the time of one command. */
export async function withStore<T>(use: (store: Store, prefix: string) => Promise<T>): Promise<T> {
  const settings = readSettings();
  const store = await connectStore(settings, "prompt");
  try {
    return await use(store, settings.HOLDFAST_PREFIX);
  } finally {
    await store.stop();
  }
}

/** Opens the submit path for the time of one command. */
export async function withSubmitter<T>(use: (submitter: Submitter) => Promise<T>): Promise<T> {
  const settings = readSettings();
  const application = await loadApplication(settings.HOLDFAST_CONFIG);
  return await withStore(async (store, prefix) => {
    const submitter = createSubmitter(application, store.client, {
      prefix,
      retentionMs: settings.HOLDFAST_RETENTION_MS,
      durability: settings.HOLDFAST_DURABILITY,
    });
    try {
      return await use(submitter);
    } finally {
      await stopAll([submitter]);
    }
  });
}

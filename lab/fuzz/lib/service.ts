import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { startRedisServer } from "../../../test/support/redis-server.ts";
import { outputOf } from "../../../test/support/report.ts";
import { waitedForProcessorMs } from "../../../test/support/watched.ts";
import { installation } from "../../lib/installation.ts";
import { startHoldfast } from "../../lib/processes.ts";

/** API and worker as shipped, on their own Redis. */
export interface Service {
  readonly url: string;
  /** Jobs and claimed keys. */
  stored(): Promise<number>;
  /** Resident memory of the API, in MiB: at the start, at most, and now. */
  memory(): { readonly start: number; readonly peak: number; readonly now: number };
  /** How long the API could run and got no processor, in milliseconds. */
  waitedMs(): number;
  /** Roles that ended by themselves, with their output. */
  readonly lost: readonly string[];
  stop(): Promise<void>;
}

const SAMPLE_MS = 500;

export async function startService(): Promise<Service> {
  const store = await startRedisServer();
  const env = {
    REDIS_URL: store.url,
    HOLDFAST_CONFIG: "lab/fuzz/inside/holdfast.config.js",
    HOLDFAST_DATA_DIR: mkdtempSync(join(installation(), "fuzz-")),
  };
  const api = await startHoldfast<{ url: string }>("api", env);
  const worker = await startHoldfast<unknown>("worker", env);
  const client = new Redis(store.url);
  const lost: string[] = [];
  let isStopping = false;
  for (const { ended } of [api, worker])
    ended.catch((error: Error) => void (isStopping || lost.push(error.message)));

  const rss = () => Number(outputOf("ps", "-o", "rss=", "-p", String(api.child.pid))) / 1_024;
  const start = rss();
  let peak = start;
  const sampler = setInterval(() => {
    peak = Math.max(peak, rss());
  }, SAMPLE_MS);
  return {
    url: api.ready.url,
    async stored() {
      const keys = await client.keys("*");
      return keys.filter((key) =>
        /:de:|:[a-z][a-z0-9-]*_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(key),
      ).length;
    },
    memory: () => {
      const now = rss();
      peak = Math.max(peak, now);
      return { start, peak, now };
    },
    waitedMs: () => waitedForProcessorMs(api.child.pid ?? 0),
    lost,
    async stop() {
      isStopping = true;
      clearInterval(sampler);
      client.disconnect();
      await Promise.all([api.end(), worker.end()]);
      await store.stop();
    },
  };
}

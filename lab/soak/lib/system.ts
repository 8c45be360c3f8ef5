import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { type RedisServer, startRedisServer } from "../../../test/support/redis-server.ts";
import { installation } from "../../lib/installation.ts";
import { type Started, startHoldfast } from "../../lib/processes.ts";

/** Holdfast as shipped: three roles, each started by its command, on their own Redis. */
export interface System {
  /** Where the API listens. */
  readonly url: string;
  readonly store: RedisServer;
  /** Where each role serves its metrics, by name. */
  readonly metrics: ReadonlyMap<string, string>;
  /** The file that effects write to. */
  readonly witness: string;
  /** Rejects when a role ends by itself. */
  readonly ended: Promise<never>;
  /** Stops the roles. @returns those that did not exit cleanly */
  stop(): Promise<string[]>;
}

/** @param retentionMs how long keys, effects and finished jobs are remembered */
export async function startSystem(retentionMs: number): Promise<System> {
  const directory = mkdtempSync(join(installation(), "soak-"));
  const store = await startRedisServer();
  const witness = join(directory, "witness");
  const env = {
    REDIS_URL: store.url,
    HOLDFAST_CONFIG: "lab/soak/inside/holdfast.config.js",
    HOLDFAST_DATA_DIR: directory,
    HOLDFAST_RETENTION_MS: String(retentionMs),
    // Only the retention decides how long a finished job stays.
    HOLDFAST_KEEP_COMPLETED: "1000000",
    HOLDFAST_KEEP_FAILED: "1000000",
    HOLDFAST_METRICS_PORT: "0",
    SOAK_WITNESS: witness,
  };
  const api = await startHoldfast<{ url: string }>("api", env);
  const worker = await startHoldfast<{ metricsUrl: string }>("worker", env);
  const scheduler = await startHoldfast<{ metricsUrl: string }>("scheduler", env);
  const roles = { api, worker, scheduler };
  return {
    url: api.ready.url,
    store,
    metrics: new Map([
      ["API", `${api.ready.url}/metrics`],
      ["worker", worker.ready.metricsUrl],
      ["scheduler", scheduler.ready.metricsUrl],
    ]),
    witness,
    ended: Promise.race(Object.values(roles).map(({ ended }) => ended)),
    async stop() {
      const faults: string[] = [];
      for (const [name, role] of Object.entries(roles)) {
        await role.end("SIGTERM");
        if (role.child.exitCode !== 0) faults.push(`the ${name} ended with ${exitOf(role)}`);
      }
      await store.stop();
      return faults;
    },
  };
}

function exitOf({ child }: Started<unknown>): string {
  return child.signalCode ?? `exit code ${child.exitCode}`;
}

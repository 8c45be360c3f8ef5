import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { startRedisServer } from "../../../test/support/redis-server.ts";
import { installation } from "../../lib/installation.ts";

/** An empty Redis for one measurement. Every side waits for the disk with each acknowledgement. */
export interface ConnectedRedis {
  readonly url: string;
  readonly client: Redis;
  stop(): Promise<void>;
}

/** No log rewrites: their time would be chance, and could hit either side. */
const settings = ["--auto-aof-rewrite-percentage", "0"];

export async function openStore(): Promise<ConnectedRedis> {
  const directory = mkdtempSync(join(installation(), "store-"));
  const server = await startRedisServer({ directory, args: settings });
  const client = new Redis(server.url);
  return {
    url: server.url,
    client,
    async stop() {
      client.disconnect();
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Runs one measurement on its own Redis. */
export async function withStore<T>(work: (store: ConnectedRedis) => Promise<T>): Promise<T> {
  const store = await openStore();
  try {
    return await work(store);
  } finally {
    await store.stop();
  }
}

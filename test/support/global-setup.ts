import { rm } from "node:fs/promises";
import type {} from "vitest"; // makes the augmentation below find the module
import type { TestProject } from "vitest/node";
import { compileConfig } from "./compiled-config.ts";
import { startPostgres } from "./postgres.ts";
import { startRedisServer } from "./redis-server.ts";
import { newServerFolder } from "./server-folder.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The run's shared server: `inject("redisUrl")`. Each test uses its own key prefix. */
    redisUrl: string;
    /** The run's shared PostgreSQL: `createDatabase(inject("postgresUrl"))`. What it has committed does not survive its end. */
    postgresUrl: string;
    /** Data that processes keep outside Redis; it must not survive the run. */
    dataDir: string;
  }
}

/** Starts one Redis and one PostgreSQL for the whole run. */
export default async function setUp(project: TestProject) {
  const [server, postgres] = await Promise.all([startRedisServer(), startPostgres()]);
  const dataDir = await newServerFolder("data");
  await compileConfig();
  project.provide("redisUrl", server.url);
  project.provide("postgresUrl", postgres.url);
  project.provide("dataDir", dataDir);
  return async () => {
    await Promise.all([server.stop(), postgres.stop()]);
    await rm(dataDir, { recursive: true, force: true });
  };
}

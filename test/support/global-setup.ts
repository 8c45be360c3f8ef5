import type {} from "vitest"; // makes the augmentation below find the module
import type { TestProject } from "vitest/node";
import { startRedisServer } from "./redis-server.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The run's shared server: `inject("redisUrl")`. Each test takes a key prefix of its own on it. */
    redisUrl: string;
  }
}

/** Starts one server for the whole run. */
export default async function setUp(project: TestProject) {
  const server = await startRedisServer();
  project.provide("redisUrl", server.url);
  return () => server.stop();
}

import { randomInt } from "node:crypto";
import type { Certificate } from "./certificate.ts";
import { type RedisServerOptions, startRedisServer } from "./redis-server.ts";
import { onTestFinished } from "./test-scope.ts";

/** Another server's port may be chosen. */
const TRIES_MAX = 5;

/** Starts a server on a free port that only speaks TLS; one more port, for the test itself, does not. */
export async function startWithTls({ args }: Certificate, options: RedisServerOptions = {}) {
  for (let tries = 1; ; tries += 1) {
    const port = randomInt(20_000, 32_000);
    const all = ["--tls-port", String(port), ...args, ...(options.args ?? [])];
    const server = await startRedisServer({ ...options, args: all }).catch((error: unknown) => {
      if (tries === TRIES_MAX) throw error;
    });
    if (server === undefined) continue;
    onTestFinished(() => server.stop());
    return { port, url: server.url };
  }
}

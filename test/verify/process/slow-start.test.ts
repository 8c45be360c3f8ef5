import { createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { launch, START_MS, withProcesses } from "../../support/processes.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { testEnvironment } from "../../support/service.ts";
import { until } from "../../support/until.ts";

describe("a role that starts beside a Redis that does not answer in time", withProcesses, () => {
  it.each(["api", "worker", "scheduler"])(
    "waits, says why, and is ready once it answers: %s",
    async (role) => {
      const server = await startRedisServer();
      onTestFinished(() => server.stop());
      process.kill(server.pid, "SIGSTOP");
      const env = testEnvironment({ REDIS_URL: server.url, HOLDFAST_LOG_LEVEL: "info" });
      const started = launch([role], env);
      await until("it says that it waits", () => started.stderr.includes("the start waits"), START_MS);
      expect(started.stderr).toMatch(
        /"reason":"no answer in time".*Redis accepts connections and does not answer/,
      );
      process.kill(server.pid, "SIGCONT");
      await until("it is ready", () => started.stderr.includes(' ready"'), START_MS);
    },
  );

  it("ends after 30 s, and says why", async () => {
    const silent = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void silent.close());
    await until("it listens", () => silent.listening);
    const { port } = silent.address() as { readonly port: number };
    const env = testEnvironment({ REDIS_URL: `redis://127.0.0.1:${port}` });
    const { code, stderr } = await launch(["api"], env).ended;
    expect(code).toBe(3);
    expect(stderr).toContain(
      `The store cannot be reached: 127.0.0.1:${port}, from REDIS_URL; it accepts connections, and did not answer within 30 s (no answer in time)`,
    );
  });
});

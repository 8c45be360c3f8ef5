import { createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { launch, START_MS, withProcesses } from "../../support/processes.ts";
import { startRedisServer } from "../../support/redis-server.ts";
import { testEnvironment } from "../../support/service.ts";
import { until } from "../../support/until.ts";

/** Beside a Redis that does not answer for a while. */
async function untilReady(role: string, url: string, answer: () => void): Promise<void> {
  const started = launch([role], testEnvironment({ REDIS_URL: url, HOLDFAST_LOG_LEVEL: "info" }));
  await until("it says that it waits", () => started.stderr.includes("the start waits"), START_MS);
  expect(started.stderr).toMatch(
    /"reason":"no answer in time".*Redis accepts connections and does not answer/,
  );
  answer();
  await until("it is ready", () => started.stderr.includes(' ready"'), START_MS);
}

/** A port that accepts connections, and nothing more. */
async function listenSilently(): Promise<number> {
  const silent = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void silent.close());
  await until("it listens", () => silent.listening);
  return (silent.address() as { readonly port: number }).port;
}

describe("a role that starts beside a Redis that does not answer in time", withProcesses, () => {
  // In one test, because the last takes half a minute.
  it("waits, says why, and is ready once it answers; or ends after 30 s, and says why", async () => {
    const port = await listenSilently();
    const env = testEnvironment({ REDIS_URL: `redis://127.0.0.1:${port}` });
    const unanswered = launch(["api"], env);
    for (const role of ["api", "worker", "scheduler"]) {
      const server = await startRedisServer();
      onTestFinished(() => server.stop());
      process.kill(server.pid, "SIGSTOP");
      await untilReady(role, server.url, () => process.kill(server.pid, "SIGCONT"));
    }
    const { code, stderr } = await unanswered.ended;
    expect(code).toBe(3);
    expect(stderr).toContain(
      `The store cannot be reached: 127.0.0.1:${port}, from REDIS_URL: no answer within 5 s; it accepts connections, and did not answer within 30 s (no answer in time)`,
    );
  });
});

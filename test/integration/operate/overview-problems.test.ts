import { describe, expect, it, onTestFinished } from "vitest";
import type { Overview, Problem } from "../../../src/desk/overview/overview.ts";
import { application, echo } from "../../support/application.ts";
import { get } from "../../support/http.ts";
import { withProcesses } from "../../support/processes.ts";
import { type RedisServer, startRedisServer } from "../../support/redis-server.ts";
import { run } from "../../support/run-command.ts";
import { createService } from "../../support/service.ts";
import { until } from "../../support/until.ts";

async function startService() {
  const server: RedisServer = await startRedisServer();
  onTestFinished(() => server.stop());
  const service = createService(application, { REDIS_URL: server.url });
  const { url } = await service.startApi();
  const problems = async () => ((await get(`${url}/overview`)).body as unknown as Overview).problems;
  return { service, url, problems, redis: service.connect() };
}

/** Waits for the first problem, which is the one that matters most. */
async function firstOf(problems: () => Promise<Problem[]>): Promise<Problem | undefined> {
  return (await until("a problem is shown", async () => (await problems()).length > 0 && problems()))[0];
}

describe("the overview's problems", withProcesses, () => {
  it("are none while all is well", async () => {
    const { service, problems } = await startService();
    await service.startWorker();

    expect(await problems()).toEqual([]);
  });

  it("begin with the loss after a FLUSHALL, and how to accept it", async () => {
    const { service, problems, redis } = await startService();
    await (await service.createProducer()).submit(echo, 1, { idempotencyKey: "k" });

    await redis.flushall();

    expect(await firstOf(problems)).toMatchObject({
      code: "STORE_ROLLED_BACK",
      message: expect.stringContaining("what default has acknowledged"),
      remedy: expect.stringContaining("holdfast store accept-loss"),
    });
  });

  it.each([
    ["maxmemory", "1", "STORE_FULL"],
    ["appendfsync", "everysec", "STORE_UNFIT"],
    ["maxmemory-policy", "allkeys-lru", "STORE_UNFIT"],
  ])("name what is wrong after CONFIG SET %s %s", async (setting, value, code) => {
    const { url, problems, redis } = await startService();
    await redis.config("SET", setting, value);

    const first = await firstOf(problems);

    expect(first).toMatchObject({ code, remedy: expect.stringMatching(/./) });
    const { reasons } = (await get(`${url}/health/ready`)).body as unknown as { reasons: string[] };
    expect((await problems()).map(({ message }) => message.split(":")[0])).toEqual(
      reasons.map((reason) => reason.split(":")[0]),
    );
  });

  it("name what the doctor finds, also where nothing is refused", async () => {
    const { service, problems } = await startService();
    await (await service.createProducer()).submit(echo, 1, { idempotencyKey: "k" });

    expect(await firstOf(problems)).toMatchObject({
      code: null,
      message: expect.stringMatching(/^workers of default: 0 alive, 1 job waiting/),
      remedy: "start one: holdfast worker",
    });
  });

  it("come first on the command line", async () => {
    const { service } = await startService();
    await (await service.createProducer()).submit(echo, 1, { idempotencyKey: "k" });

    const { stdout } = await run(["overview"], service.env);

    expect(stdout.split("\n")[2]).toMatch(/^PROBLEM: workers of default: 0 alive.*Remedy: start one/);
  });
});

import { describe, expect, it } from "vitest";
import { call, post } from "../support/http.ts";
import { scrape } from "../support/metrics.ts";
import {
  childrenOf,
  type HoldfastProcess,
  isAlive,
  launch,
  pressCtrlC,
  run,
  START_MS,
  urlOf,
  withProcesses,
} from "../support/processes.ts";
import { testEnvironment } from "../support/service.ts";
import { until } from "../support/until.ts";

const readyCount = ({ stderr }: HoldfastProcess) => stderr.split("API ready").length - 1;

async function startTwo() {
  const env = testEnvironment({ LOG_LEVEL: "info" });
  const api = launch(["api", "--processes", "2"], env, { detached: true });
  await until("both are ready", () => readyCount(api) === 2, START_MS);
  return { api, url: urlOf(api), children: () => childrenOf(api.pid).map(({ pid }) => pid) };
}

describe("the API in several processes", withProcesses, () => {
  it("is one to the outside: one port, one job for a key, and at each scrape the numbers of all", async () => {
    const { api, url, children } = await startTwo();
    const job = { type: "echo", payload: {}, idempotencyKey: "one" };

    const answers = await Promise.all(
      // Each on a connection of its own, so that both processes get some.
      Array.from({ length: 20 }, () => post(`${url}/jobs`, job, { connection: "close" })),
    );

    expect(children()).toHaveLength(2);
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(new Set(api.stderr.match(/http:\/\/127\.0\.0\.1:\d+/g)).size).toBe(1);
    for (const told of await Promise.all(Array.from({ length: 6 }, () => scrape(`${url}/metrics`)))) {
      expect(told.value("holdfast_submissions_total", { type: "echo", outcome: "accepted" })).toBe(1);
      expect(told.value("holdfast_submissions_total", { type: "echo", outcome: "duplicate" })).toBe(19);
      expect(told.value("holdfast_jobs", { queue: "default", state: "waiting" })).toBe(1);
      expect(told.value("holdfast_store_up")).toBe(1);
    }
  });

  it("goes on while one of them is dead, and starts it again; what the dead have counted still counts", async () => {
    const { api, url, children } = await startTwo();
    const [victim = 0, survivor = 0] = children();
    const live = { route: "/health/live", method: "GET", status: "200" };
    const answered = async () =>
      (await scrape(`${url}/metrics`)).value("holdfast_http_requests_total", live) ?? 0;
    const askLive = () => call(`${url}/health/live`, "GET", undefined, { connection: "close" });
    await Promise.all(Array.from({ length: 20 }, askLive));
    await until("they are counted", async () => (await answered()) >= 20);

    process.kill(victim, "SIGKILL");
    await until("it is gone", () => !isAlive(victim), START_MS);

    expect(await askLive()).toMatchObject({ status: 200 });
    await until("another is ready", () => readyCount(api) === 3, START_MS);
    expect(children()).toHaveLength(2);
    expect(children()).toContain(survivor);
    expect(await answered()).toBeGreaterThanOrEqual(20);
    process.kill(survivor, "SIGKILL"); // whichever of the two has answered them
    await until("it is gone, too", () => !isAlive(survivor), START_MS);
    expect(await answered()).toBeGreaterThanOrEqual(20);
  });

  it("ends altogether with one Ctrl-C, and says that it was no accident", async () => {
    const { api, children } = await startTwo();
    const pids = children();

    pressCtrlC(api);

    expect(await api.ended).toMatchObject({
      code: 0,
      stderr: expect.not.stringContaining("starting it again"),
    });
    expect(pids.filter(isAlive)).toEqual([]);
  });

  it("leaves no process behind when the first one is killed", async () => {
    const { api, children } = await startTwo();
    const pids = children();

    api.kill("SIGKILL");

    await until("the others have ended", () => !pids.some(isAlive), START_MS);
    expect(pids).toHaveLength(2);
  });

  it("refuses a number that makes no sense", async () => {
    const { code, stderr } = await run(["api", "--processes", "none"], testEnvironment());

    expect(code).toBe(2);
    expect(stderr).toContain("whole number from 1 to 64");
  });
});

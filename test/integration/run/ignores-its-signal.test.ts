import { createServer, type ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import application, { ignoring } from "../../support/fixtures/ignores-its-signal.config.ts";
import { get } from "../../support/http.ts";
import { launchRole, withProcesses } from "../../support/processes.ts";
import { run } from "../../support/run-command.ts";
import { createService, type Service, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const config = fileURLToPath(new URL("../../support/fixtures/ignores-its-signal.config.ts", import.meta.url));

/** Keeps each request until it is let go. */
async function startServer() {
  const held: ServerResponse[] = [];
  const server = createServer((_, response) => void held.push(response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    held,
    answer() {
      for (const response of held) response.end();
    },
  };
}

interface Shown {
  readonly overview: {
    readonly queues: Record<string, unknown>[];
    readonly workers: Record<string, unknown>[];
  };
  readonly status: Record<string, unknown>;
  readonly listed: Record<string, unknown>;
}

/** What each place says of the job. */
async function everywhere(
  { env }: Service,
  url: string,
  id: string,
): Promise<Shown & { readonly text: string }> {
  const read = async (path: string): Promise<Readonly<Record<string, unknown>>> =>
    (await get(`${url}${path}`)).body;
  const [overview, status, list] = await Promise.all([
    read("/overview"),
    read(`/jobs/${id}/status`),
    read("/jobs"),
  ]);
  const commands = [["jobs", "show", id], ["jobs", "list"], ["doctor"], ["overview"]];
  const texts: string[] = [];
  for (const args of commands) texts.push((await run(args, { ...env, HOLDFAST_CONFIG: config })).stdout);
  return {
    overview: overview as unknown as Shown["overview"],
    status,
    listed: (list.jobs as Record<string, unknown>[])[0] ?? {},
    text: texts.join("\n"),
  };
}

async function runsIn(url: string, count: number): Promise<boolean> {
  const queues = (await get(`${url}/overview`)).body.queues as Record<string, unknown>[];
  return queues[0]?.stillRunning === count;
}

async function start() {
  const service = createService(application, { HOLDFAST_LOCK_MS: "1000", HOLDFAST_STOP_GRACE_MS: "100" });
  const server = await startServer();
  const producer = await service.createProducer();
  const operator = await service.createOperator();
  const { url } = await service.startApi();
  const begun = async (worker: () => Promise<unknown>) => {
    await worker();
    const { id } = await producer.submit(ignoring, server.url, { idempotencyKey: "k" });
    await until("its handler runs", () => server.held.length === 1);
    return id;
  };
  return { service, server, producer, operator, url, begun };
}

const keysOf = ({ env }: Service) => queueKeys(env.HOLDFAST_PREFIX, "default");

describe("a cancelled job whose handler ignores its signal", () => {
  it("is said to run on its worker, everywhere, until the handler has returned", async () => {
    const { service, server, producer, operator, url, begun } = await start();
    const id = await begun(service.startWorker);

    await operator.cancel(id);
    await untilState(producer, id, "failed");

    const told = [{ worker: expect.any(String), toldAt: expect.any(String), isCertain: true }];
    await until("the overview knows", () => runsIn(url, 1));
    const during = await everywhere(service, url, id);
    expect(during.status).toMatchObject({ state: "failed", error: { code: "CANCELLED" }, stillRuns: told });
    expect(during.listed).toMatchObject({ id, stillRuns: told });
    expect(during.overview.queues).toMatchObject([{ active: 0, stillRunning: 1 }]);
    const [worker = {}] = during.overview.workers;
    expect(worker).toMatchObject({
      stillRuns: [{ jobId: id, type: "ignoring", toldAt: expect.any(String) }],
    });
    expect(during.text).toMatch(
      new RegExp(`still runs +was told to stop at \\S+, its handler still runs on ${String(worker.name)}`),
    );
    expect(during.text).toContain("cancelled (failed), still runs");
    expect(during.text).toMatch(
      /told to stop in default +1 handler still running: \S+ on \S+, told to stop at/,
    );
    expect(during.text).toMatch(/told to stop \S+.* ago, still runs: ignoring/);

    server.answer();
    await until("it has returned", async () => (await producer.status(id))?.stillRuns === undefined);
    await until("the overview, which is read every two seconds, knows", () => runsIn(url, 0));
    const after = await everywhere(service, url, id);
    expect(after.text).not.toMatch(/still run/);
    expect(await service.connect().exists(keysOf(service).own("still-running"))).toBe(0);
  });

  it(
    "may still run where its worker was killed, and no more once that worker is forgotten",
    withProcesses,
    async () => {
      const { service, producer, operator, url, begun } = await start();
      const env = { ...service.env, HOLDFAST_CONFIG: config };
      let kill = () => {};
      const id = await begun(async () => {
        const worker = await launchRole("worker", env);
        kill = () => worker.kill("SIGKILL");
      });
      await operator.cancel(id);
      await untilState(producer, id, "failed");
      kill();

      const redis = service.connect();
      const { workersSeen, own } = keysOf(service);
      const [name = ""] = await redis.zrange(workersSeen, "0", "-1");
      const seenAgo = (ms: number) => redis.zadd(workersSeen, String(Date.now() - ms), name);
      await seenAgo(60_000);
      await until("the overview knows", () => runsIn(url, 1));
      const silent = await everywhere(service, url, id);
      expect(silent.status).toMatchObject({ stillRuns: [{ worker: name, isCertain: false }] });
      expect(silent.text).toContain(`its handler may still run on ${name}, which was last seen at`);
      expect(silent.overview.queues).toMatchObject([{ stillRunning: 1 }]);

      await seenAgo(11 * 60_000);
      await until("the overview knows", () => runsIn(url, 0));
      const gone = await everywhere(service, url, id);
      expect(gone.status).not.toHaveProperty("stillRuns");
      expect(gone.text).not.toMatch(/still run/);

      // The first heartbeat of another worker forgets it.
      await service.startWorker();
      await until("the note is gone", async () => (await redis.exists(own("still-running"))) === 0);
    },
  );
});

describe("a cancelled job whose handler obeys", () => {
  it("leaves no note, nor does a worker that only stops", async () => {
    const { service, producer, server, begun } = await start();
    let worker: { stop(): Promise<void> } | undefined;
    const id = await begun(async () => {
      worker = await service.startWorker();
    });
    await worker?.stop().catch(() => {});

    expect(await producer.status(id)).not.toHaveProperty("stillRuns");
    expect(await service.connect().exists(keysOf(service).own("still-running"))).toBe(0);
    server.answer();
  });
});

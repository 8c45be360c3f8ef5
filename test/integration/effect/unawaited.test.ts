import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import application, { careless, neighbour } from "../../support/fixtures/unawaited.config.ts";
import { launchRole, withProcesses } from "../../support/processes.ts";
import { createService, untilState, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const config = fileURLToPath(new URL("../../support/fixtures/unawaited.config.ts", import.meta.url));

/** A server that answers when `answer` is called. */
async function startSlowServer() {
  const waiting: ServerResponse[] = [];
  const server = createServer((_, response) => void waiting.push(response)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return { url, waiting, answer: () => waiting.map((response) => response.end("done")) };
}

it(
  "fails the job that did not wait for what has failed, by name, and harms no neighbour",
  withProcesses,
  async () => {
    const slow = await startSlowServer();
    const service = createService(application);
    const producer = await service.createProducer();
    const worker = await launchRole("worker", { ...service.env, HOLDFAST_CONFIG: config } as Variables);
    const neighbours = await Promise.all(
      ["1", "2", "3"].map((key) => producer.submit(neighbour, slow.url, { idempotencyKey: key })),
    );
    await until("the neighbours act", async () => slow.waiting.length === 3);

    for (const way of ["call", "then", "function", "submit"] as const) {
      const { id } = await producer.submit(careless, way, { idempotencyKey: way });
      const what = way === "submit" ? 'submit of "neighbour"' : 'effect "charge"';
      const status = await untilState(producer, id, "failed", "completed");
      expect(status, way).toMatchObject({ state: "failed", error: { code: "HANDLER_FAILED" } });
      expect(status.error?.message).toContain(`${what} failed, and the handler did not wait for it: `);
      expect(worker.stderr).toContain(`${what.replaceAll('"', '\\"')} of job ${id}`);
    }

    slow.answer();
    for (const { id } of neighbours)
      expect(await untilState(producer, id, "completed", "failed")).toMatchObject({ state: "completed" });
    expect(await (await service.createOperator()).doubts(0, 10)).toEqual([]);
  },
);

// What a doubt says about the line that its effect's declaration lacks, and what the doctor makes of many.
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { defineJob } from "holdfast";
import { connection } from "holdfast/evidence";
import { expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { openQueueStores } from "../../../src/core/bullmq/store/queue-store.ts";
import { diagnoseHints } from "../../../src/desk/doctor/doctor-hints.ts";
import { readSettings } from "../../../src/platform/config/settings.ts";
import { reachRedis } from "../../../src/platform/redis/connect.ts";
import { run } from "../../support/run-command.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

const pay = defineJob({
  type: "pay",
  payload: z.strictObject({ url: z.string() }),
  result: z.strictObject({}),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 10_000,
  effects: {
    charge: { timeoutMs: 5_000, inDoubt: "hold" },
    known: { timeoutMs: 5_000, inDoubt: "hold", classify: connection },
    odd: { timeoutMs: 5_000, inDoubt: "hold" },
  },
});

it("counts the doubts of each effect that a classifier would have proved to be none", async () => {
  const url = `http://127.0.0.1:${await closedPort()}/`;
  const handler = pay.handler(async ({ payload, idempotencyKey, effect }) => {
    const [name, index] = idempotencyKey.split("-") as ["charge" | "known" | "odd", string];
    const act = () =>
      name === "odd" ? Promise.reject(new Error("odd")) : fetch(payload.url, { method: "POST" });
    await effect(name, act, { index });
    return {};
  });
  const service = createService(applicationOf(handler), {}, onTestFinished);
  const [producer] = await Promise.all([service.createProducer(), service.startWorker()]);
  const keys = ["charge-1", "charge-2", "charge-3", "known-1", "odd-1"];
  await Promise.all(
    keys.map(async (idempotencyKey) => {
      const { id } = await producer.submit(pay, { url }, { idempotencyKey });
      await untilState(producer, id, "failed");
    }),
  );

  const store = await reachRedis(readSettings(service.env), "fail-fast");
  onTestFinished(() => store.stop());
  const stores = openQueueStores(store, service.env.HOLDFAST_PREFIX);
  const found = await diagnoseHints(stores.partitionsOf(["default"]));
  expect(found).toEqual([
    expect.objectContaining({
      name: "effect charge of pay",
      verdict: "warn",
      found: "3 doubts of effect charge: refused, nothing seen sent",
      remedy: expect.stringContaining("declare classify: http"),
    }),
  ]);

  const operator = await service.createOperator();
  const hints = (await operator.doubts(0, 10)).map(({ effect, hint }) => [
    effect.split("/")[0],
    hint?.classify,
  ]);
  expect(hints.sort()).toEqual([
    ["charge", "http"],
    ["charge", "http"],
    ["charge", "http"],
    ["odd", undefined],
  ]);
  const { stdout } = await run(["doubts", "list"], service.env);
  expect(stdout).toContain('(refused, nothing seen sent; "classify: http" proves that nothing happened)');
});

import { randomUUID } from "node:crypto";
import { createOperator, defineConfig, HoldfastError, type Operator } from "holdfast";
import { createGuard, defineEffect, type Guard, InDoubtError } from "holdfast/guard";
import { expect, inject, it, onTestFinished } from "vitest";
import { type CuttingProxy, startCuttingProxy } from "../../support/cutting-proxy.ts";
import { testEnvironment } from "../../support/service.ts";

const act = defineEffect({ name: "act", timeoutMs: 3_000, inDoubt: "hold" });

interface Cut<Opened> {
  readonly open: () => Promise<Opened>;
  readonly use: (opened: Opened) => Promise<void>;
}

/** Cuts the connection after each of its requests in turn. */
async function cutEverywhere<Opened extends { stop(): Promise<void> }>(
  proxy: CuttingProxy,
  { open, use }: Cut<Opened>,
): Promise<void> {
  for (let requests = 0; ; requests += 1) {
    const opened = await open();
    proxy.cutAfter(requests);
    await use(opened).catch((error: unknown) => expect(error).toBeInstanceOf(HoldfastError));
    const hasCut = proxy.hasCut();
    await opened.stop().catch((error: unknown) => expect(error).toBeInstanceOf(HoldfastError));
    proxy.cutAfter(Number.POSITIVE_INFINITY);
    if (!hasCut) return expect(requests).toBeGreaterThan(3);
  }
}

function onlyInDoubt(error: unknown): void {
  if (!(error instanceof InDoubtError)) throw error;
}

it("a guard throws nothing but errors with a code, and rejects nothing unseen, wherever its connection is cut", async () => {
  const unseen: unknown[] = [];
  const note = (error: unknown) => void unseen.push(error);
  process.on("unhandledRejection", note);
  onTestFinished(() => void process.off("unhandledRejection", note));
  const proxy = await startCuttingProxy(inject("redisUrl"));
  const env = testEnvironment({ REDIS_URL: proxy.url });
  const key = { key: "done" };
  const fail = async () => Promise.reject(new Error("socket hang up"));
  const calls = async (guard: Guard) => {
    for (let again = 0; again < 2; again += 1) await guard.once(act, key, async () => 1);
    await guard.once(act, { key: randomUUID() }, fail).catch(onlyInDoubt);
  };
  const looks = async (operator: Operator) => {
    for (const { id } of await operator.guardedEffects({ limit: 10 })) await operator.guardedEffect(id);
    const [doubt] = await operator.doubts(0, 10);
    if (doubt === undefined) return;
    const { jobId, effect } = doubt;
    await operator.resolve(jobId, effect, { as: "done", evidence: "x", by: "ann", confirm: true });
  };
  const guard = { open: () => createGuard({ effects: [act], env }), use: calls };
  const operator = { open: () => createOperator(defineConfig({ jobs: [] }), env), use: looks };

  await cutEverywhere(proxy, guard);
  await cutEverywhere(proxy, operator);
  expect(unseen).toEqual([]);
});

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createOperator, defineConfig } from "holdfast";
import { Redis } from "ioredis";
import { expect, it, onTestFinished } from "vitest";
import { withProcesses } from "../../support/processes.ts";
import { testEnvironment } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const ROUTE = fileURLToPath(new URL("../../support/fixtures/guarded-route.ts", import.meta.url));
const env = testEnvironment();

/** A process of Express's, as a supervisor starts it. */
async function startRoute() {
  const child = spawn(process.execPath, ["--import", "tsx", ROUTE], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => String((await lines.next()).value);
  const url = `http://127.0.0.1:${await next()}/charges`;
  const post = async (headers: Readonly<Record<string, string>> = {}) => {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": "order-1", ...headers },
      body: '{"cents":700}',
    });
    const body = (await answer.json()) as { code?: string; id?: string };
    return { status: answer.status, replayed: answer.headers.get("idempotent-replayed"), body };
  };
  return { post, next, kill: () => void child.kill("SIGKILL") };
}

it(
  "a route whose process is killed in the middle of its effect does not act again on another process",
  withProcesses,
  async () => {
    const [first, second] = await Promise.all([startRoute(), startRoute()]);
    const cutOff = first.post({ "x-halt": "1" }).catch((error: unknown) => error);
    expect(await first.next()).toBe("acted");
    first.kill();
    expect(await cutOff).toBeInstanceOf(TypeError);

    expect(await second.post()).toMatchObject({ status: 409, body: { code: "EFFECT_BUSY" } });
    const doubt = await until("its time is over", async () => {
      const { status, body } = await second.post();
      expect(status).toBe(409);
      return body.code === "IN_DOUBT" ? body : undefined;
    });

    const operator = await createOperator(defineConfig({ jobs: [] }), env);
    onTestFinished(() => operator.stop());
    const [{ effectKey, jobId } = { effectKey: "", jobId: "" }] = await operator.doubts(0, 10);
    expect(doubt).toMatchObject({ id: jobId });
    const result = JSON.stringify({ key: effectKey });
    await operator.resolve(jobId, "charge", { as: "done", evidence: "ch_1 is there", by: "ann", result });
    expect(await second.post()).toEqual({ status: 200, replayed: "true", body: { key: effectKey } });

    const downstream = new Redis(String(env.REDIS_URL));
    onTestFinished(() => downstream.disconnect());
    expect(await downstream.get(`acts:${effectKey}`)).toBe("1");
  },
);

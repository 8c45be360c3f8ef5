import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createOperator, defineConfig, defineJob } from "holdfast";
import { createGuard, defineEffect } from "holdfast/guard";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { dedupKeyOf, effectKeyOf } from "../../../src/core/job/dedup-key.ts";
import { get } from "../../support/http.ts";
import { run } from "../../support/run-command.ts";
import { applicationOf, createService, testEnvironment, untilState } from "../../support/service.ts";

const SECRET = "secret-of-ada";

const letter = defineJob({
  type: "letter",
  payload: z.strictObject({ url: z.url(), token: z.string() }),
  result: z.unknown(),
  redact: { payload: ["/token"] },
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 20_000,
  effects: { send: { timeoutMs: 10_000, inDoubt: "hold" } },
});

/** Accepts every letter. @returns its address */
async function startPost(): Promise<string> {
  const server = createServer((_, response) => void response.writeHead(202).end("accepted"));
  onTestFinished(() => void server.close().closeAllConnections());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/letters`;
}

const send = async (url: string) => {
  const response = await fetch(url, { method: "POST", body: "Dear Ada" });
  await response.text();
};

describe("the answer to: was it sent?", () => {
  it("is on the page of a job whose effect is done: what was sent and answered, when, by whom, without secrets", async () => {
    const handler = letter.handler(
      async ({ payload: { url, token }, effect }) =>
        await effect("send", async () => {
          await send(url);
          return { messageId: "m-1", echo: token };
        }),
    );
    const encryption = { HOLDFAST_ENCRYPTION_KEYS: `key:${randomBytes(32).toString("base64")}` };
    const { env, createProducer, createOperator, startWorker, startApi, connect } = createService(
      applicationOf(handler),
      encryption,
    );
    const [producer, operator, url] = await Promise.all([createProducer(), createOperator(), startPost()]);
    const { id } = await producer.submit(letter, { url, token: SECRET }, { idempotencyKey: "letter-7" });
    await startWorker();
    await untilState(producer, id, "completed");

    const detail = await operator.detail(id);
    const answer = detail?.effects[0]?.answer;
    const effectKey = effectKeyOf(dedupKeyOf("letter", "letter-7"), "send");
    expect(answer).toMatchObject({
      effectKey,
      worker: detail?.worker,
      sent: [{ method: "POST", host: new URL(url).host, path: "/letters", status: 202, sent: "all" }],
      result: '{"messageId":"m-1","echo":"[redacted]"}',
      resolvedBy: null,
    });
    const lines = [
      "effect        send, done",
      `when          ${detail?.effects[0]?.at}`,
      `job           ${id} (letter)`,
      "key           letter-7",
      `effect's key  ${effectKey}`,
      `worker        ${detail?.worker}`,
      `sent          POST ${new URL(url).host}/letters: sent, answered 202`,
      'answered      {"messageId":"m-1","echo":"[redacted]"}',
    ];
    for (const line of lines) expect(answer?.text).toContain(line);

    const api = await startApi();
    const { body } = await get(`${api.url}/jobs/${id}`);
    expect(body).toMatchObject({ effects: [{ answer }] });
    const shown = await run(["jobs", "show", id], env);
    // Its application does not know the type, so all of the payload, and of the results, may be secret.
    for (const line of lines.slice(0, -1)) expect(shown.stdout).toContain(`  ${line}`);
    expect(shown.stdout).toContain("  answered      [redacted]");
    expect(shown.stdout).not.toContain(SECRET);
    // Clients that may only submit see none of it, and what is in Redis is encrypted.
    expect((await producer.status(id))?.effects).toEqual([
      { name: "send", state: "done", at: expect.any(String) },
    ]);
    const ledger = await connect().hgetall(
      `${env.HOLDFAST_PREFIX}:{default}:ledger:${dedupKeyOf("letter", "letter-7")}`,
    );
    expect(JSON.stringify(ledger)).not.toContain("letters");
  });

  it("names who said so where it was in doubt, and not what was never seen", async () => {
    const handler = letter.handler(async ({ effect }) => {
      await effect("send", async () => Promise.reject(new Error("hung up")));
      return "sent";
    });
    const { createProducer, createOperator, startWorker } = createService(applicationOf(handler));
    const [producer, operator] = await Promise.all([createProducer(), createOperator()]);
    const payload = { url: "http://127.0.0.1:1/", token: SECRET };
    const { id } = await producer.submit(letter, payload, { idempotencyKey: "doubtful" });
    await startWorker();
    await untilState(producer, id, "failed");
    await operator.resolve(id, "send", {
      as: "done",
      evidence: "seen in its inbox",
      by: "ann",
      confirm: true,
    });
    await untilState(producer, id, "completed");

    const answer = (await operator.detail(id))?.effects[0]?.answer;
    expect(answer).toMatchObject({ resolvedBy: "ann", sent: [], result: null });
    expect(answer?.text).toMatch(/sent {10}not seen\nsaid done by {2}ann$/);
  });

  it("is known of a guard's effect, too", async () => {
    const env = testEnvironment();
    const note = defineEffect({ name: "note", timeoutMs: 10_000, inDoubt: "hold" });
    const guard = await createGuard({ effects: [note], env });
    onTestFinished(() => guard.stop());
    const url = await startPost();
    await guard.once(note, { key: "note-1", by: "shop" }, async () => {
      await send(url);
      return "n-1";
    });
    const operator = await createOperator(defineConfig({ jobs: [] }), env);
    onTestFinished(() => operator.stop());
    const [{ id } = { id: "" }] = await operator.guardedEffects({ limit: 10 });
    const detail = await operator.guardedEffect(id);
    expect(detail).toMatchObject({ worker: expect.any(String), sent: [{ status: 202 }], result: '"n-1"' });
    expect(detail?.answer).toContain(`worker        ${detail?.worker}\nsent          POST`);

    const shown = await run(["effects", "show", id], env);
    expect(shown.stdout).toContain("answered 202");
  });
});

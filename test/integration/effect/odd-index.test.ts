import { randomBytes } from "node:crypto";
import { defineJob } from "holdfast";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { dedupKeyOf, effectKeyOf } from "../../../src/core/job/dedup-key.ts";
import { applicationOf, createService, untilState, type Variables } from "../../support/service.ts";

const acting = defineJob({
  type: "acting",
  payload: z.string(),
  result: z.unknown(),
  retry: { attempts: 2, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 10_000,
  effects: {
    act: { timeoutMs: 5_000, inDoubt: "hold" },
    doubt: { timeoutMs: 5_000, inDoubt: "hold" },
  },
});

const key = `mine:${randomBytes(32).toString("base64")}`;
const body = randomBytes(60).toString("base64url");
const odd = [
  `hf1.zzz.abc`,
  `hf1.zzz.${body}`,
  `hf1.mine.${body}`,
  `a/hf1.zzz.${body}`,
  `hf0.hf1.zzz.${body}`,
  "hf1.",
  "hf0.",
];
const ways: readonly (readonly [string, Variables])[] = [
  ["without encryption", {}],
  ["with encryption", { HOLDFAST_ENCRYPTION_KEYS: key }],
];

/** Runs a job whose effect has this index: it acts, fails once, acts on another, and leaves a doubt. */
async function runWith(index: string, variables: Variables) {
  const acts: string[] = [];
  const handler = acting.handler(async ({ payload, effect, attempt }) => {
    const act = (one: string) => effect("act", async () => acts.push(one), { index: one });
    await act(payload);
    if (attempt === 1) throw new Error("again");
    await act("other");
    await effect("doubt", () => Promise.reject(new Error("unknown")), { index: payload });
  });
  const service = createService(applicationOf(handler), variables);
  const producer = await service.createProducer();
  await service.startWorker();
  const { id } = await producer.submit(acting, index, { idempotencyKey: "k" });
  const status = await untilState(producer, id, "failed");
  return { acts, service, producer, id, status };
}

describe.each(ways)("an index that reads like an encrypted one, %s", (name, variables) => {
  it.each(odd)("is an index like any other: %s", async (index) => {
    const { acts, service, producer, id, status } = await runWith(index, variables);

    expect(acts).toEqual([index, "other"]);
    expect(status).toMatchObject({ attemptsMade: 2, error: { code: "EFFECT_IN_DOUBT" } });
    expect(status.effects.map((effect) => effect.name).sort()).toEqual(
      [`act/${index}`, "act/other", `doubt/${index}`].sort(),
    );
    const operator = await service.createOperator();
    const effect = `doubt/${index}`;
    expect(await operator.doubts(0, 10)).toMatchObject([
      { effect, effectKey: effectKeyOf(dedupKeyOf("acting", "k"), effect) },
    ]);
    if (name === "with encryption") {
      const keys = queueKeys(service.env.HOLDFAST_PREFIX, "default");
      const fields = await service.connect().hkeys(keys.ledger(dedupKeyOf("acting", "k")));
      expect(fields.filter((field) => field.includes(index.slice(0, 30)) && index.length > 10)).toEqual([]);
    }

    await operator.resolve(id, effect, { as: "done", evidence: "seen", by: "ann", confirm: true });
    await untilState(producer, id, "completed");
    expect(acts).toEqual([index, "other"]);
  });
});

it("does not stop a job whose ledger a build before has marked as encrypted with a key that is none", async () => {
  const { service, producer, id, acts } = await runWith("hf1.zzz.abc", {});
  const keys = queueKeys(service.env.HOLDFAST_PREFIX, "default");
  const dedupKey = dedupKeyOf("acting", "k");
  const redis = service.connect();
  await redis.hset(keys.ledger(dedupKey), "keys", " zzz ");
  // The next attempt asks for it as if for the first time.
  await redis.hdel(keys.ledger(dedupKey), "e:act/other");
  const operator = await service.createOperator();

  await operator.resolve(id, "doubt/hf1.zzz.abc", { as: "done", evidence: "seen", by: "ann", confirm: true });

  await untilState(producer, id, "completed");
  expect(acts).toEqual(["hf1.zzz.abc", "other", "other"]);
});

it("does not stop a job that asks only for what is known, beside an index that another key has encrypted", async () => {
  const { service, producer, id, acts } = await runWith("mine", { HOLDFAST_ENCRYPTION_KEYS: key });
  const ledger = queueKeys(service.env.HOLDFAST_PREFIX, "default").ledger(dedupKeyOf("acting", "k"));
  const redis = service.connect();
  const done = JSON.stringify({ state: "done", at: 1, reservationId: "another" });
  await redis.hset(ledger, "keys", `${await redis.hget(ledger, "keys")}zzz `, `e:act/hf1.zzz.${body}`, done);
  const operator = await service.createOperator();

  await operator.resolve(id, "doubt/mine", { as: "done", evidence: "seen", by: "ann", confirm: true });

  await untilState(producer, id, "completed");
  expect(acts).toEqual(["mine", "other"]);
});

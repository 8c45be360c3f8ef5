import { defineJob } from "holdfast";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { get, post } from "../../support/http.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";

const charge = defineJob({
  type: "charge",
  payload: z.object({ card: z.string(), cents: z.int(), isLost: z.boolean() }),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 60_000,
  redact: { payload: ["/card"] },
  effects: { charge: { timeoutMs: 20_000, inDoubt: "hold" } },
});

async function start() {
  const charged: number[] = [];
  const handler = charge.handler(({ payload: { cents, isLost }, effect }) =>
    effect("charge", async () => {
      charged.push(cents);
      if (isLost) throw new Error("the answer was lost");
      return cents;
    }),
  );
  const service = createService(applicationOf(handler));
  const producer = await service.createProducer();
  const { url } = await service.startApi();
  await service.startWorker();
  const payload = { card: "4242", cents: 500, isLost: true };
  const { id } = await producer.submit(charge, payload, { idempotencyKey: "order-1" });
  await untilState(producer, id, "failed");
  const again = (body: object) => post(`${url}/jobs/${id}/again`, body);
  const audit = async (): Promise<{ as: string; evidence: string }[]> =>
    (await get(`${url}/audit?jobId=${id}`)).body.entries as [];
  return { charged, producer, url, id, again, audit };
}

describe("a job that is submitted again while an effect is in doubt", () => {
  it("is refused, stores nothing and is on no record, until somebody confirms", async () => {
    const { charged, producer, id, again, audit } = await start();
    const request = { idempotencyKey: "order-1b", reason: "customer called" };

    expect(await again(request)).toMatchObject({
      status: 409,
      body: { code: "EFFECT_IN_DOUBT", detail: expect.stringContaining("charge") },
    });
    expect(await audit()).toEqual([]);
    const { status, headers, body } = await again({ ...request, confirm: true });

    expect(status).toBe(202);
    expect(headers.get("location")).toBe(body.statusUrl);
    await untilState(producer, String(body.id), "failed");
    expect(charged).toEqual([500, 500]);
    expect(await audit()).toMatchObject([
      { as: "submitted-again", jobId: id, evidence: `as ${body.id}: customer called` },
    ]);
  });

  it.each([
    ["no reason", { idempotencyKey: "order-1b", confirm: true }],
    ["a reason of spaces", { idempotencyKey: "order-1b", reason: "  ", confirm: true }],
    ["the old job's key", { idempotencyKey: "order-1", reason: "why", confirm: true }],
    ["no key", { reason: "why", confirm: true }],
    [
      "a redacted payload",
      {
        idempotencyKey: "order-1b",
        reason: "why",
        confirm: true,
        payload: { card: "[redacted]", cents: 1, isLost: false },
      },
    ],
    ["an unknown member", { idempotencyKey: "order-1b", reason: "why", confirm: true, tags: ["a"] }],
  ])("is refused with %s", async (_, body) => {
    const { charged, again, audit } = await start();

    expect((await again(body)).status).toBe(400);
    expect([charged, await audit()]).toEqual([[500], []]);
  });

  it("has the payload as it was submitted, or another one, and the same request is the same job", async () => {
    const { charged, producer, again } = await start();
    const request = { idempotencyKey: "order-1c", reason: "why", confirm: true };
    const payload = { card: "4242", cents: 700, isLost: false };
    const changed = await again({ ...request, payload });

    const same = await again({ ...request, payload });
    expect(same).toMatchObject({ status: 200, body: { id: changed.body.id, duplicate: true } });
    expect(same.headers.get("idempotency-replayed")).toBe("true");
    expect(await again(request)).toMatchObject({ status: 422, body: { code: "IDEMPOTENCY_KEY_REUSED" } });
    await untilState(producer, String(changed.body.id), "completed");
    expect(charged).toEqual([500, 700]);
  });
});

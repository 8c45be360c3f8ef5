import { once } from "node:events";
import type { AddressInfo } from "node:net";
import express from "express";
import { fastify } from "fastify";
import {
  createGuard,
  defineEffect,
  type Guard,
  guardRoute,
  NotDoneError,
  type RouteCall,
} from "holdfast/guard";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { latch } from "../../support/latch.ts";
import { testEnvironment } from "../../support/service.ts";

const charge = defineEffect({ name: "charge", timeoutMs: 10_000, inDoubt: "hold" });
const [begun, end] = [latch(), latch()];
let guard: Guard;
let charges = 0;

beforeAll(async () => {
  guard = await createGuard({ effects: [charge], env: testEnvironment() });
});
afterAll(() => guard.stop());

interface Order {
  readonly cents: number;
  readonly how?: string;
}

/** What every framework's route does. */
function answerTo(key: RouteCall["key"], order: Order, scope?: string) {
  const account = scope === undefined ? {} : { scope };
  return guardRoute(guard, charge, { key, content: order, ...account }, async () => {
    if (order.how === "declined") throw new NotDoneError("declined");
    if (order.how === "lost") throw new Error("socket hang up");
    if (order.how === "slow") {
      begun.open();
      await end.opened;
    }
    charges += 1;
    return { id: `ch_${charges}`, receipt: order.how === "long" ? "x".repeat(17_000) : "" };
  });
}

async function startExpress() {
  const app = express().use(express.json());
  app.post("/charges", async (request, response) => {
    const { status, headers, body } = await answerTo(request.get("idempotency-key"), request.body, "express");
    response.status(status).set(headers).send(body);
  });
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => void server.close(),
  };
}

async function startFastify() {
  const app = fastify();
  app.post("/charges", async (request, reply) => {
    const key = request.headers["idempotency-key"];
    const { status, headers, body } = await answerTo(key, request.body as Order, "fastify");
    return reply.code(status).headers(headers).send(body);
  });
  return { url: await app.listen({ port: 0, host: "127.0.0.1" }), stop: () => app.close() };
}

/** As a route of Next.js: a request in, a response out. */
async function startNext() {
  const route = async (request: Request) => {
    const { status, headers, body } = await answerTo(
      request.headers.get("idempotency-key"),
      (await request.json()) as Order,
      "next",
    );
    return Response.json(body, { status, headers });
  };
  return {
    url: "http://next",
    stop: async () => {},
    fetch: (url: string, init: RequestInit) => route(new Request(url, init)),
  };
}

describe.each([
  ["Express", startExpress],
  ["Fastify", startFastify],
  ["Next.js", startNext],
] as const)("guardRoute in %s", (_name, start) => {
  let app: {
    url: string;
    stop: () => Promise<unknown>;
    fetch?: typeof startNext extends () => Promise<infer A>
      ? A extends { fetch: infer F }
        ? F
        : never
      : never;
  };
  beforeAll(async () => {
    app = await start();
  });
  afterAll(() => app.stop());

  async function post(key: string | undefined, order: Order) {
    const headers = {
      "content-type": "application/json",
      ...(key !== undefined && { "idempotency-key": key }),
    };
    const answer = await (app.fetch ?? fetch)(`${app.url}/charges`, {
      method: "POST",
      headers,
      body: JSON.stringify(order),
    });
    const body = (await answer.json()) as { id?: string; code?: string };
    const of = (name: string) => answer.headers.get(name);
    return {
      status: answer.status,
      code: body.code,
      id: body.id,
      replayed: of("idempotent-replayed"),
      wait: of("retry-after"),
    };
  }

  it("answers the first request's result again, and says so", async () => {
    const first = await post('"order-1"', { cents: 5 });
    expect(first).toMatchObject({ status: 200, id: expect.stringMatching(/^ch_/), replayed: null });
    expect(await post("order-1", { cents: 5 })).toEqual({ ...first, replayed: "true" });
  });

  it("says each time that it is done, where its result is too long to be kept", async () => {
    const before = charges;
    for (let time = 0; time < 2; time += 1)
      expect(await post("order-long", { cents: 5, how: "long" })).toMatchObject({
        status: 500,
        code: "RESULT_INVALID",
      });
    expect(charges).toBe(before + 1);
  });

  it("refuses a request without a key, and one with other content", async () => {
    expect(await post(undefined, { cents: 5 })).toMatchObject({
      status: 400,
      code: "IDEMPOTENCY_KEY_MISSING",
    });
    await post("order-2", { cents: 5 });
    expect(await post("order-2", { cents: 6 })).toMatchObject({
      status: 422,
      code: "IDEMPOTENCY_KEY_REUSED",
    });
  });

  it("says that nobody knows, and passes on what did not happen", async () => {
    const doubt = { status: 409, code: "IN_DOUBT", wait: null };
    expect(await post("order-3", { cents: 5, how: "lost" })).toMatchObject(doubt);
    expect(await post("order-3", { cents: 5, how: "lost" })).toMatchObject(doubt);
  });
});

it("says when to ask again while another request is at it", async () => {
  const slow = { cents: 5, how: "slow" };
  const first = answerTo("order-4", slow, "own");
  await begun.opened;
  const second = await answerTo("order-4", slow, "own");
  expect(second).toMatchObject({ status: 409, headers: { "retry-after": expect.stringMatching(/^\d+$/) } });
  end.open();
  expect(await first).toMatchObject({ status: 200, headers: {} });
});

it("throws what did not happen, so that the key is free, and keeps the keys of callers apart", async () => {
  const declined = { cents: 5, how: "declined" };
  await expect(answerTo("order-5", declined, "own")).rejects.toThrow("declined");
  const own = await answerTo("order-5", { cents: 5 }, "own");
  const others = await answerTo("order-5", { cents: 5 }, "other");
  expect(own.status).toBe(200);
  expect(others.body).not.toEqual(own.body);
  const [one, other] = [await answerTo("b c", { cents: 5 }, "a"), await answerTo("c", { cents: 5 }, "a b")];
  expect(other.body).not.toEqual(one.body);
  // Who has not signed in names no account's key.
  const strangers = [await answerTo("a b c", { cents: 5 }), await answerTo(" a b c", { cents: 5 })];
  for (const { headers } of strangers) expect(headers).toEqual({});
  expect(await answerTo(["a", "b"], { cents: 5 }, "own")).toMatchObject({ status: 400 });
});

it("keeps keys apart, and refuses none, whose accounts have long names or which are as long as may be", async () => {
  const longest = `a ${"k".repeat(253)}`;
  const names = [undefined, "own", "名".repeat(100), `${"名".repeat(99)}字`];
  const answers = await Promise.all(names.map((name) => answerTo(longest, { cents: 5 }, name)));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(4);
  for (const [at, name] of names.entries())
    expect((await answerTo(longest, { cents: 5 }, name)).body).toEqual(answers[at]?.body);
  expect(await answerTo(`${longest}k`, { cents: 5 }, "own")).toMatchObject({ status: 400 });
});

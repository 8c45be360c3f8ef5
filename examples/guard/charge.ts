/** One effect, guarded in a worker of BullMQ's and in a route. Quoted in docs/guard.md and the README; run by test/integration/guard. */
import { createServer, type Server } from "node:http";
import { type ConnectionOptions, Worker } from "bullmq";
import express from "express";
import { http } from "holdfast/evidence";
import {
  createGuard,
  defineEffect,
  EffectBusyError,
  type Guard,
  guardJob,
  guardRoute,
  InDoubtError,
} from "holdfast/guard";
import { z } from "zod";

interface Bank {
  charge(cents: number, options: { key: string; signal: AbortSignal }): Promise<{ id: string }>;
}

// #region effect
export const charge = defineEffect({
  name: "charge",
  timeoutMs: 10_000,
  inDoubt: "hold",
  // It is one request over HTTP: so its errors may say what they prove.
  classify: http,
  result: z.object({ id: z.string() }),
});
// #endregion

export async function openGuard(env?: NodeJS.ProcessEnv): Promise<Guard> {
  // #region open
  const guard = await createGuard({ effects: [charge] }); // REDIS_URL, or an ioredis connection of yours
  // #endregion
  if (env === undefined) return guard;
  await guard.stop();
  return await createGuard({ effects: [charge], env });
}

export async function chargeOrder(guard: Guard, bank: Bank, order: { id: string; cents: number }) {
  const { cents } = order;
  // #region once
  const { id } = await guard.once(
    charge,
    { key: `order-${order.id}`, content: { cents } },
    ({ key, signal }) => bank.charge(cents, { key, signal }),
  );
  // #endregion
  return id;
}

export function startWorker(guard: Guard, bank: Bank, queue: string, connection: ConnectionOptions): Worker {
  // #region worker
  return new Worker(
    queue,
    async (job, token) => {
      const { id } = await guardJob(guard, job, token).once(charge, {}, ({ key, signal }) =>
        bank.charge(job.data.cents, { key, signal }),
      );
      return { chargeId: id };
    },
    { connection },
  );
  // #endregion
}

/** A route that answers 200, 409 while another request is at it, and 202 where nobody can know. */
export function createRoute(guard: Guard, bank: Bank): Server {
  return createServer(async (request, response) => {
    const answer = (status: number, body: object, headers = {}) =>
      response
        .writeHead(status, { "content-type": "application/json", ...headers })
        .end(JSON.stringify(body));
    const order = { id: String(request.headers["x-order"]), cents: 500 };
    // #region route
    try {
      answer(200, { charge: await chargeOrder(guard, bank, order) });
    } catch (error) {
      if (error instanceof EffectBusyError) answer(409, { error: "in progress" }, { "retry-after": "1" });
      else if (error instanceof InDoubtError) answer(202, { pending: error.doubt?.id });
      else answer(500, { error: "not charged" });
    }
    // #endregion
  });
}

/**
 * A route that is itself idempotent: whoever calls it sends an `Idempotency-Key`, and may send the request again.
 *
 * @param accountOf who has signed in
 */
export function createIdempotentRoute(
  guard: Guard,
  bank: Bank,
  accountOf: (request: express.Request) => string,
) {
  const app = express().use(express.json());
  // #region idempotent-route
  app.post("/charges", async (request, response) => {
    const call = {
      key: request.get("idempotency-key"),
      content: request.body,
      scope: accountOf(request), // who has signed in
    };
    const { status, headers, body } = await guardRoute(guard, charge, call, ({ key, signal }) =>
      bank.charge(request.body.cents, { key, signal }),
    );
    response.status(status).set(headers).send(body);
  });
  // #endregion
  return app;
}

/** One effect, guarded in a function and in a route. Quoted in docs/guard.md and the README; run by test/integration/guard. */
import { createServer, type Server } from "node:http";
import { http } from "holdfast/evidence";
import {
  createGuard,
  defineEffect,
  EffectBusyError,
  type Guard,
  HoldfastError,
  InDoubtError,
} from "holdfast/guard";
import { z } from "zod";

interface Bank {
  charge(cents: number, options: { key: string; signal: AbortSignal }): Promise<{ id: string }>;
}

export const charge = defineEffect({
  name: "charge",
  timeoutMs: 10_000,
  inDoubt: "hold",
  classify: http,
  result: z.object({ id: z.string() }),
});

export async function openGuard(env: NodeJS.ProcessEnv): Promise<Guard> {
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

/** A route that answers 200, also where the bank's answer could not be read; 409 while another request is at it; and 202 where nobody can know. */
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
      else if (error instanceof HoldfastError && error.code === "RESULT_INVALID")
        answer(200, { charge: null });
      else answer(500, { error: "not charged" });
    }
    // #endregion
  });
}

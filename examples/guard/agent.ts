/** An agent's tools, guarded. Quoted in docs/guard-agents.md; run by test/integration/guard with a mocked model that is killed in the middle. */
import { defineEffect, effectOf, type Guard, guardTools } from "holdfast/guard";
import { z } from "zod";

interface Bank {
  charge(cents: number, options: { key: string; signal: AbortSignal }): Promise<{ id: string }>;
}

// #region effect
export const chargeEffect = defineEffect({
  name: "charge",
  timeoutMs: 10_000,
  inDoubt: "hold",
  result: z.object({ id: z.string() }),
});
// #endregion

/** With the AI SDK each is a `tool({ … })` with a description and a schema. */
export function toolsOf(guard: Guard, bank: Bank, conversation: { readonly id: string }) {
  // #region tools
  const tools = {
    charge: {
      execute: ({ cents }: { cents: number }, options: object) => {
        const { key, signal } = effectOf(options); // pass them downstream
        return bank.charge(cents, { key, signal });
      },
    },
    lookUpOrder: { execute: async ({ order }: { order: string }) => ({ order, cents: 500 }) },
  };
  return guardTools(guard, tools, {
    run: conversation.id,
    effects: { charge: chargeEffect },
    ask: "billing@shop",
  });
  // #endregion
}

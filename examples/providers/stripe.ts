// Stripe: it remembers an idempotency key and its answer for at least 24 hours.
import { defineJob } from "holdfast";
import { stripe } from "holdfast/evidence";
import Stripe from "stripe";
import { z } from "zod";

// #region contract
const HOUR_MS = 60 * 60 * 1000;
const charge = z.strictObject({ customer: z.string(), card: z.string(), cents: z.int().positive() });

export const chargeCustomer = defineJob({
  type: "charge-customer",
  payload: charge,
  result: z.strictObject({ paymentIntent: z.string() }),
  retry: { attempts: 5, backoff: { kind: "exponential", delayMs: 1_000 } },
  timeoutMs: 60_000,
  effects: {
    charge: { timeoutMs: 20_000, inDoubt: "repeat", downstreamRemembersMs: 23 * HOUR_MS, classify: stripe },
  },
});
// #endregion

// #region handler
export function openStripe(secretKey: string, options: Stripe.StripeConfig = {}): Stripe {
  return new Stripe(secretKey, { maxNetworkRetries: 0, timeout: 15_000, ...options });
}

export const chargeCustomerHandler = (client: Stripe) =>
  chargeCustomer.handler(async ({ payload, effect }) => {
    const paymentIntent = await effect(
      "charge",
      async ({ key }) =>
        (await client.paymentIntents.create(orderOf(payload, key), { idempotencyKey: key })).id,
      { assumedResult: () => "see Stripe's dashboard" },
    );
    return { paymentIntent };
  });

function orderOf(
  { customer, card, cents }: z.output<typeof charge>,
  key: string,
): Stripe.PaymentIntentCreateParams {
  const payment = { amount: cents, currency: "eur", customer, payment_method: card };
  return { ...payment, confirm: true, off_session: true, metadata: { effect: key } };
}
// #endregion

// #region probe
/** For `inDoubt: "probe"`: the customer's payments of the last days, each of which carries its effect's key. */
export async function findPayment(client: Stripe, customer: string, key: string) {
  const since = Math.floor((Date.now() - 48 * HOUR_MS) / 1_000);
  for await (const payment of client.paymentIntents.list({ customer, created: { gte: since }, limit: 100 })) {
    if (payment.metadata.effect !== key) continue;
    return payment.status === "succeeded" ? { done: payment.id } : ("unknown" as const);
  }
  return "not-done" as const;
}
// #endregion

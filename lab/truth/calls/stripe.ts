import Stripe from "stripe";
import { stripe } from "../inside/evidence.ts";
import { type Calls, order, type Target } from "./call.ts";

function client({ protocol, host, port, timeoutMs }: Target, options = {}): Stripe {
  return new Stripe("sk_test_truth", { protocol, host, port, timeout: timeoutMs, ...options });
}

const charge = { amount: order.cents, currency: "eur", source: "tok_visa" };

export const calls: Calls = {
  asIs: async (target) => (await client(target).charges.create(charge)).id,
  asDocumented: async (target) => {
    const charged = await client(target, { maxNetworkRetries: 0 }).charges.create(charge, {
      idempotencyKey: target.key,
    });
    return charged.id;
  },
  classify: stripe,
};

import type { Classify } from "./classifier.ts";
import { classifierOf, has, verdictOfAnswer, verdictWithoutAnswer } from "./classifier.ts";
import { textIn } from "./error-tree.ts";
import { headersOf, statusOf } from "./http.ts";

/** Stripe stores such an answer under the idempotency key and gives it again, or it would refuse the same request again. */
const PERMANENT: ReadonlySet<string> = new Set(["StripeCardError", "StripeInvalidRequestError"]);

/**
 * `stripe`. Card errors and invalid requests are not done, for good. Other refusals, and too many requests, are not done. A key that is in
 * use or was used for something else (409, `StripeIdempotencyError`), 5xx and a lost connection are unknown.
 */
export const stripe: Classify = classifierOf(
  (node) => textIn(node, "type").startsWith("Stripe") || (has(node, "rawType") && has(node, "requestId")),
  (error) => {
    const { node, seen } = error;
    const status = statusOf(node);
    const type = textIn(node, "type");
    if (status === undefined) return verdictWithoutAnswer(error);
    if (type === "StripeIdempotencyError" || textIn(node, "rawType") === "idempotency_error")
      return "unknown";
    return verdictOfAnswer({ status, headers: headersOf(node) }, seen, { permanent: PERMANENT.has(type) });
  },
);

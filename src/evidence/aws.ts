import type { Classify } from "./classifier.ts";
import { classifierOf, has, verdictOfAnswer, verdictWithoutAnswer } from "./classifier.ts";
import { memberOf, textIn } from "./error-tree.ts";
import { statusOf } from "./http.ts";

/**
 * The AWS SDK, version 3. 4xx is refused, throttling included, so not done. 5xx, an idempotency token that was used for something else, and
 * a lost connection are unknown. The SDK tries three times: a refusal counts only if each try was seen to be refused.
 */
export const aws: Classify = classifierOf(
  (node) => has(node, "$metadata") || has(node, "$fault"),
  (error) => {
    const { node, seen } = error;
    const status = statusOf({ statusCode: memberOf(node, "$metadata", "httpStatusCode") });
    if (status === undefined) return verdictWithoutAnswer(error);
    if (/idempot/i.test(textIn(node, "name"))) return "unknown";
    const headers = memberOf(node, "$response", "headers");
    return verdictOfAnswer({ status, headers }, seen);
  },
);

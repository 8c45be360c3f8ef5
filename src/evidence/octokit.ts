import { delayMsOf } from "../platform/lib/delay-ms.ts";
import type { Classify } from "./classifier.ts";
import {
  classifierOf,
  has,
  header,
  retryAfterMs,
  verdictOfAnswer,
  verdictWithoutAnswer,
} from "./classifier.ts";
import { memberOf, textIn } from "./error-tree.ts";
import { statusOf } from "./http.ts";

/**
 * `octokit` and its parts. 4xx is refused, so not done; rate limits are tried again when GitHub says. 5xx and a lost connection are unknown.
 *
 * Octokit returns an answer that was cut off as if it were whole: check the result, and throw an `InDoubtError` if it is not what you
 * expect.
 */
export const octokit: Classify = classifierOf(
  (node) => textIn(node, "name") === "HttpError" && has(node, "request"),
  (error) => {
    const { node, seen } = error;
    const status = statusOf(node);
    // Octokit says 500 where no answer came.
    if (status === undefined || memberOf(node, "response") === undefined) return verdictWithoutAnswer(error);
    const headers = memberOf(node, "response", "headers");
    return verdictOfAnswer({ status, headers }, seen, {
      retryAfterMs: retryAfterMs(headers) ?? limitEndsMs(headers),
    });
  },
);

/** When the used up rate limit begins anew. */
function limitEndsMs(headers: unknown): number | undefined {
  const reset = header(headers, "x-ratelimit-reset");
  if (header(headers, "x-ratelimit-remaining") !== "0" || !/^\d{1,12}$/.test(reset)) return undefined;
  return delayMsOf(Number(reset) * 1_000 - Date.now());
}

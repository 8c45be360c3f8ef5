import { payload } from "./contestant.ts";

/**
 * Sends one email to the service that stands for a provider of mail, and waits for its whole answer.
 *
 * @param path "/refusing" answers 429 to a third
 * @throws the response where it was refused
 */
export async function postEmail(path: "/jobs" | "/refusing" = "/jobs"): Promise<void> {
  const response = await fetch(`${process.env.BENCH_DOWNSTREAM}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(payload),
  });
  await response.arrayBuffer();
  if (!response.ok) throw Object.assign(new Error("refused"), { response });
}

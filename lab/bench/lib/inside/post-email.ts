import { payload } from "./contestant.ts";

/** Sends one email to the service that stands for a provider of mail, and waits for its whole answer. */
export async function postEmail(): Promise<void> {
  const response = await fetch(`${process.env.BENCH_DOWNSTREAM}/jobs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(payload),
  });
  await response.arrayBuffer();
}

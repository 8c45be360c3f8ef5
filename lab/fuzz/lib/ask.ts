import { setTimeout as sleep } from "node:timers/promises";
import { type Exchange, exchange, type Manner } from "./exchange.ts";

/** Longer than a machine's disk hangs. */
const BUSY_MAX_MS = 10_000;
const AGAIN_MS = 500;

/** Sends bytes, and again while the answer is 503: one that passes is the machine's fault, one that stays is the input's. */
export async function ask(url: string, bytes: Buffer, manner: Manner = {}): Promise<Exchange> {
  const deadline = performance.now() + BUSY_MAX_MS;
  for (;;) {
    const answer = await exchange(url, bytes, manner);
    if (!isBusy(answer) || performance.now() > deadline) return answer;
    await sleep(AGAIN_MS);
  }
}

function isBusy({ answers }: Exchange): boolean {
  return answers.some(({ status }) => status === 503);
}

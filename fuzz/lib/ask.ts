import { until } from "../../faults/lib/waiting.ts";
import { type Exchange, exchange, type Manner } from "./exchange.ts";

/** Longer than a machine's disk hangs. */
const BUSY_MAX_MS = 10_000;
const AGAIN_MS = 500;

/** Sends bytes, and again while the answer is 503: one that passes is the machine's fault, one that stays is the input's. */
export async function ask(url: string, bytes: Buffer, manner: Manner = {}): Promise<Exchange> {
  let last = await exchange(url, bytes, manner);
  if (!isBusy(last)) return last;
  await until(
    async () => {
      last = await exchange(url, bytes, manner);
      return !isBusy(last);
    },
    { withinMs: BUSY_MAX_MS, everyMs: AGAIN_MS },
  );
  return last;
}

function isBusy({ answers }: Exchange): boolean {
  return answers.some(({ status }) => status === 503);
}

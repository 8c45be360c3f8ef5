import type { Order, Tally } from "./plan.ts";

const done = new Map<string, Promise<void>>();
let pending = 0;
let sentAgain = 0;

/** Notes that an act is to come, until `finish` is called. */
export function expectAct(): { finish(): void } {
  pending += 1;
  let isOpen = true;
  return {
    finish() {
      if (isOpen) pending -= 1;
      isOpen = false;
    },
  };
}

/** Acts once for each call of an effect: what a client sends again by itself is recognised. Resolves when it is on the witness's disk. */
export function act(order: Order): Promise<void> {
  const call = `${order.key}/${order.fence}`;
  const before = done.get(call);
  if (before !== undefined) {
    sentAgain += 1;
    return before;
  }
  const acted = record(order);
  done.set(call, acted);
  return acted;
}

async function record(order: Order): Promise<void> {
  const expected = expectAct();
  const body = JSON.stringify(order);
  const answer = await fetch(process.env.LAB_WITNESS ?? "", { method: "POST", body });
  await answer.arrayBuffer();
  expected.finish();
}

export function tally(): Tally {
  return { pending, sentAgain };
}

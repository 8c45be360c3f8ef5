import type { EffectCall } from "holdfast";
import { several } from "../contracts.ts";
import { openTarget } from "../downstream/open-target.ts";
import type { Order as Ordered } from "../downstream/plan.ts";
import { pass } from "../injection.ts";
import { trace } from "../trace.ts";
import { traced } from "../traced.ts";
import { type Order, unseenWays, ways } from "./plan.ts";
import { openWay, type SendOrder } from "./senders.ts";

/** One effect that does two things: one acts, the other is refused. */
export const severalHandler = several.handler(async ({ payload, jobId, idempotencyKey, effect }) => {
  const { way, order, refusal } = payload;
  trace("begun", jobId);
  const isUnseen = unseenWays.has(way);
  const acts = order === "beside" ? "is slow" : "answers";
  const target = await openTarget({ kind: ways[way], move: isUnseen ? "acts, then declines" : acts });
  const send = openWay[way](target);
  const refusing = refusal === "402" ? "declines" : "refuses connections";
  const refuser = isUnseen ? target : await openTarget({ kind: "http", move: refusing });
  const actTwice = async ({ key, fence }: EffectCall) => {
    await pass("effect:begun", jobId);
    trace("calls", jobId, way.replaceAll(" ", "_"));
    const ordered: Ordered = { key, fence, job: idempotencyKey, life: process.env.LAB_LIFE ?? "" };
    try {
      await inOrder(
        order,
        () => send(JSON.stringify(ordered)),
        () => refused(refuser, ordered),
      );
    } catch (error) {
      trace("unproved", jobId);
      throw error;
    }
  };
  await traced(jobId, () => effect("act", actTwice));
  return {};
});

async function inOrder(order: Order, act: () => ReturnType<SendOrder>, other: () => Promise<never>) {
  if (order === "before") await act().catch(() => {});
  if (order === "beside") act().catch(() => {});
  try {
    return await other();
  } finally {
    if (order === "after") await act().catch(() => {});
  }
}

async function refused(port: number, ordered: Ordered): Promise<never> {
  const body = JSON.stringify({ ...ordered, key: `other ${ordered.key}`, job: `other ${ordered.job}` });
  const { status } = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body });
  throw Object.assign(new Error(`answered ${status}`), { status });
}

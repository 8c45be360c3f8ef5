import { once } from "node:events";
import { createOperator, defineConfig } from "holdfast";
import { expect, it, onTestFinished, vi } from "vitest";
import { chargeOrder, createRoute, openGuard } from "../../../examples/guard/charge.ts";
import { testEnvironment } from "../../support/service.ts";

it("guards the route of the docs", async () => {
  const env = testEnvironment();
  const guard = await openGuard(env);
  onTestFinished(() => guard.stop());
  let failNext = false;
  let isGarbled = false;
  const charge = vi.fn(async (_cents: number, { key }: { key: string }) => {
    if (failNext) throw new Error("socket hang up");
    return isGarbled ? JSON.parse("{}") : { id: key };
  });
  const bank = { charge };

  const route = createRoute(guard, bank).listen(0, "127.0.0.1");
  onTestFinished(() => void route.close());
  await once(route, "listening");
  const address = route.address();
  const port = typeof address === "object" ? address?.port : 0;
  const order = async (id: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { "x-order": id } });
    return { status: answer.status, body: (await answer.json()) as { pending?: string } };
  };
  const first = await order("1");
  expect(first.status).toBe(200);
  expect(await order("1")).toEqual(first);
  isGarbled = true;
  // It is charged, whatever the bank's answer looks like.
  expect(await order("3")).toEqual({ status: 200, body: { charge: null } });
  failNext = true;
  const doubt = await order("2");
  expect(doubt).toMatchObject({ status: 202, body: { pending: expect.stringContaining("holdfast-guard") } });

  const operator = await createOperator(defineConfig({ jobs: [] }), env);
  onTestFinished(() => operator.stop());
  const resolution = { as: "done", evidence: "seen", by: "ann", result: '{"id":"ch_1"}' } as const;
  await operator.resolve(doubt.body.pending ?? "", "charge", resolution);
  expect(await chargeOrder(guard, bank, { id: "2", cents: 500 })).toBe("ch_1");
  expect(charge).toHaveBeenCalledTimes(3);
});

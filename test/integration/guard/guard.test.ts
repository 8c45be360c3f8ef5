import { createGuard, defineEffect, EffectBusyError, InDoubtError, NotDoneError } from "holdfast/guard";
import { afterAll, beforeAll, describe, expect, inject, it, vi } from "vitest";
import { z } from "zod";

const env = { REDIS_URL: inject("redisUrl"), HOLDFAST_PREFIX: `guard-${process.pid}` };

const charge = defineEffect({
  name: "charge",
  timeoutMs: 5_000,
  inDoubt: "hold",
  result: z.object({ id: z.string() }),
});
const brief = defineEffect({ name: "brief", timeoutMs: 200, inDoubt: "hold" });
const effects = [charge, brief];
const guards = [createGuard({ effects, env }), createGuard({ effects, env })] as const;
let [first, second] = [await guards[0], await guards[1]];

beforeAll(async () => {
  [first, second] = await Promise.all(guards);
});
afterAll(() => Promise.all([first.stop(), second.stop()]));

describe("a guarded effect", () => {
  it("runs for the first call, and every later one gets its result, from any process", async () => {
    const run = vi.fn(async ({ key }: { key: string }) => ({ id: key, secret: "not kept" }));
    const done = await first.once(charge, { key: "order-1", content: { cents: 5 } }, run);

    expect(done).toEqual({ id: expect.stringMatching(/^[\w-]{22}$/) });
    expect(await second.once(charge, { key: "order-1", content: { cents: 5 } }, run)).toEqual(done);
    expect(run).toHaveBeenCalledTimes(1);
  });
});

import { createGuard, defineEffect } from "holdfast/guard";
import { Redis } from "ioredis";
import { expect, inject, it, onTestFinished } from "vitest";
import { guardPlaces } from "../../../src/guard/places.ts";
import { testEnvironment } from "../../support/service.ts";

const KEEP_BYTES = 400_000;
const effect = defineEffect({ name: "act", timeoutMs: 5_000, inDoubt: "hold" });
const repeated = defineEffect({
  ...{ name: "repeated", timeoutMs: 5_000, inDoubt: "repeat", downstreamRemembersMs: 600_000 },
});

it("refuses new keys once those that are remembered take the budget, and forgets none", async () => {
  const env = testEnvironment({ HOLDFAST_KEEP_BYTES: String(KEEP_BYTES) });
  const guard = await createGuard({ effects: [effect, repeated], env });
  const lost = async () => Promise.reject(new Error("socket hang up"));
  await expect(guard.once(repeated, { key: "known" }, lost)).rejects.toThrow("socket hang up");
  const redis = new Redis(inject("redisUrl"));
  onTestFinished(async () => {
    await guard.stop();
    redis.disconnect();
  });
  const ends = await Promise.all(
    Array.from({ length: 2_000 }, (_, at) =>
      guard.once(effect, { key: String(at) }, async () => at).catch((error: unknown) => error),
    ),
  );
  const done = ends.flatMap((end, at) => (end === at ? [at] : []));
  const refused = ends.filter((end) => typeof end !== "number");
  expect(new Set(refused.map((error) => (error as { code: string }).code))).toEqual(new Set(["STORE_FULL"]));

  const ledgers = await redis.keys(`${env.HOLDFAST_PREFIX}:{*${guardPlaces[0]}*:ledger:*`);
  const sizes = await Promise.all(ledgers.map((key) => redis.memory("USAGE", key)));
  const bytes = sizes.reduce<number>((sum, size) => sum + Number(size), 0);
  expect(ledgers).toHaveLength(done.length + 1);
  expect(bytes).toBeGreaterThan(KEEP_BYTES * 0.4);
  expect(bytes).toBeLessThan(KEEP_BYTES * 1.25);

  // What was done stays so, also under its old key.
  for (const at of done.slice(0, 20))
    expect(await guard.once(effect, { key: String(at) }, async () => "again")).toBe(at);
  // And a key that is known may go on.
  expect(await guard.once(repeated, { key: "known" }, async () => 1)).toBe(1);
  const roomy = await createGuard({ effects: [effect], env: { ...env, HOLDFAST_KEEP_BYTES: undefined } });
  onTestFinished(() => roomy.stop());
  expect(await roomy.once(effect, { key: "one more" }, async () => 1)).toBe(1);
});

import { describe, expect, it } from "vitest";
import { everySecond, SECOND, stage } from "../../support/stored-schedules.ts";
import { until } from "../../support/until.ts";

describe.concurrent("a version that no scheduler can read", () => {
  it("is left to others for ten seconds, then it no longer keeps the versions after it from ticking", async () => {
    const at = stage();
    const operator = await at.createOperator();
    const redis = at.connect();
    const due = `${at.env.HOLDFAST_PREFIX}:{stored_schedules}:due`;
    const untilLookedAt = async () => {
      const from = await operator.now();
      await until(
        "a scheduler has looked",
        async () => Number(await redis.zscore(due, "acme")) > from + SECOND,
      );
    };
    await operator.schedules.put("acme", everySecond);
    await at.makeUnreadable("acme");
    await at.startScheduler();
    await untilLookedAt();
    await operator.schedules.put("acme", { ...everySecond, type: "invoice" });
    await untilLookedAt();
    const { done, versions } = await at.stored.read("acme");
    expect(done).toBe(versions[0]?.since);

    const [first] = await at.untilTicked("acme", 12);
    const next = Math.floor((versions[1]?.since ?? 0) / SECOND + 1) * SECOND;
    expect(first).toMatchObject({ type: "invoice", at: next });
  });

  it("holds back its own ticks alone while it is in force, and is forgotten when it is changed", async () => {
    const at = stage();
    const operator = await at.createOperator();
    for (const type of ["report", "invoice"]) {
      await operator.schedules.put("acme", { ...everySecond, type });
      await at.makeUnreadable("acme");
    }
    await at.bringPutForward("acme", 20 * SECOND);
    await at.startScheduler();
    const { versions } = await at.stored.read("acme");
    await until(
      "the first one is done",
      async () => (await at.stored.read("acme")).done === versions[1]?.since,
    );
    await operator.schedules.put("acme", everySecond);
    expect((await at.stored.read("acme")).versions.map(({ version }) => version)).toEqual([2, 3]);
  });
});

describe.concurrent("pauses of schedules that were put", () => {
  it("are shown by the doctor, and end when the schedule is deleted and its name is put again", async () => {
    const at = stage();
    const operator = await at.createOperator();
    const found = async () =>
      (await operator.doctor()).filter(({ name }) => name.startsWith("pause")).map(({ found }) => found);
    const paused: (string | undefined)[] = [];
    for (const name of ["beta", "acme", "gone"]) {
      await operator.schedules.put(name, everySecond);
      const status = await operator.schedules.pause(name, { reason: "moving", by: "ann" });
      paused.push(status.paused?.since);
    }
    await operator.schedules.pause("declared", { reason: "moving", by: "bob" });
    await operator.schedules.delete("gone");
    expect(await found()).toEqual([
      expect.stringMatching(/^paused by bob since .*: moving$/),
      `2, beta the longest: paused by ann since ${paused[0]}: moving`,
    ]);

    await operator.schedules.delete("beta");
    expect(await found()).toContain(`1, acme the longest: paused by ann since ${paused[1]}: moving`);
    expect(await operator.schedules.put("beta", everySecond)).toMatchObject({ paused: null });
    expect(await operator.schedules.put("acme", { ...everySecond, everyMs: 2_000 })).toMatchObject({
      paused: { by: "ann" },
    });
    await at.startScheduler();
    await at.untilTicked("beta");
  });
});

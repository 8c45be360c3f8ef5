import { setTimeout as pause } from "node:timers/promises";
import { createOperator, type Operator } from "holdfast";
import { describe, expect, it } from "vitest";
import application, { everySecond } from "../../../examples/every-second/holdfast.config.ts";
import { tickKey } from "../../../src/roles/schedules/tick-keys.ts";
import { launch, START_MS, withProcesses } from "../../support/processes.ts";
import { createRandom, type Random } from "../../support/random.ts";
import { testEnvironment, type Variables } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const config = "examples/every-second/holdfast.config.ts";
const LASTS_MS = 12_000;

describe("three schedulers, each killed repeatedly at random moments", () => {
  it("enqueue each tick once: none missed, none twice", withProcesses, async () => {
    const env = { ...testEnvironment(), HOLDFAST_CONFIG: config };
    await using operator = await createOperator(application, env);
    const random = createRandom(1);
    const deadline = Date.now() + LASTS_MS;

    const kills = await Promise.all(
      ["a", "b", "c"].map((name) => dieAgainAndAgain(env, random.fork(name), deadline)),
    );

    const wanted = Array.from({ length: LASTS_MS / 1_000 }, (_, index) =>
      tickKey(everySecond, Math.floor(deadline / 1_000 - index) * 1_000),
    );
    await until(
      "every tick has a job",
      async () => {
        const enqueued = new Set(await keysOf(operator));
        return wanted.every((key) => enqueued.has(key));
      },
      START_MS,
    );
    const keys = await keysOf(operator);
    expect(new Set(keys).size).toBe(keys.length);
    expect(Math.min(...kills)).toBeGreaterThan(1);
  });
});

/** Runs one scheduler after another, the last one until the end. @returns how many were killed */
async function dieAgainAndAgain(env: Variables, random: Random, deadline: number): Promise<number> {
  for (let kills = 0; ; kills += 1) {
    const scheduler = launch(["scheduler"], env);
    const lifeMs = random.between(1_000, 4_000);
    if (Date.now() + lifeMs > deadline) return kills;
    // Random moments are the point, so nothing is waited for.
    await pause(lifeMs);
    scheduler.kill("SIGKILL");
    expect(await scheduler.ended).toMatchObject({ code: null });
  }
}

/** The idempotency keys of all jobs; none of them runs. */
async function keysOf(operator: Operator): Promise<string[]> {
  const { jobs } = await operator.list({ state: "waiting", limit: 200 });
  return jobs.map(({ idempotencyKey }) => idempotencyKey);
}

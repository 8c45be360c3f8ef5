import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import application, { doubted } from "../../../lab/faults/lib/inside/notified-application.ts";
import { launch, START_MS, withProcesses } from "../../support/processes.ts";
import { createRandom, type Random } from "../../support/random.ts";
import { SECRET, startReceiver } from "../../support/receivers.ts";
import { createService } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const config = "lab/faults/lib/inside/notified-application.ts";
const LASTS_MS = 15_000;

describe("three APIs, each killed repeatedly at random moments", () => {
  it("tell each doubt once: none missed, none twice, none a minute late", withProcesses, async () => {
    const receiver = await startReceiver();
    const variables = { ON_CALL_URL: receiver.url, ON_CALL_SECRET: SECRET };
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    onTestFinished(() => void vi.unstubAllEnvs());
    const service = createService(application);
    await service.startWorker();
    const producer = await service.createProducer();
    const env = { ...service.env, ...variables, HOLDFAST_CONFIG: config };
    const random = createRandom(1);
    const deadline = Date.now() + LASTS_MS;

    const [kills, ...ids] = await Promise.all([
      Promise.all(["a", "b", "c"].map((name) => dieAgainAndAgain(env, random.fork(name), deadline))),
      ...doubted.map(async (job) => {
        // Random moments are the point, so nothing is waited for.
        await pause(random.between(0, LASTS_MS));
        // On a busy machine the answer can be late: the same key is safe to send again.
        const submit = () => producer.submit(job, null, { idempotencyKey: job.type }).catch(() => undefined);
        const receipt = await until("it is submitted", submit);
        return receipt?.id ?? "";
      }),
    ]);

    // On a busy machine an API can miss Redis for a moment, which each says itself.
    const told = () => receiver.received.filter(({ kind }) => kind === "doubt");
    const began = () => told().filter(({ stage }) => stage === "began");
    await until("each is told", () => began().length >= doubted.length, START_MS);
    expect(new Set(began().map(({ subject }) => subject))).toEqual(
      new Set(doubted.map(({ queue }) => `queue ${queue}`)),
    );
    expect(told()).toHaveLength(doubted.length);
    expect(Math.min(...kills)).toBeGreaterThan(0);
    const lateMs = await Promise.all(
      ids.map(async (id, at) => {
        const [effect] = (await producer.status(id))?.effects ?? [];
        const notice = began().find(({ subject }) => subject === `queue ${doubted[at]?.queue}`);
        return (notice?.receivedAt ?? Number.NaN) - Date.parse(effect?.at ?? "");
      }),
    );
    expect(Math.max(...lateMs)).toBeLessThan(60_000);
  });
});

/** Runs one API after another, the last one until the end of the test. @returns how many were killed */
async function dieAgainAndAgain(
  env: Parameters<typeof launch>[1],
  random: Random,
  deadline: number,
): Promise<number> {
  for (let kills = 0; ; kills += 1) {
    const api = launch(["api"], env);
    const lifeMs = random.between(2_500, 6_000);
    if (Date.now() + lifeMs > deadline) return kills;
    await pause(lifeMs); // until a random moment, at which it is killed
    api.kill("SIGKILL");
    expect(await api.ended).toMatchObject({ code: null });
  }
}

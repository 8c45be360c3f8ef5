// The service that the tour breaks does its work as long as nobody breaks it.
import { describe, expect, it } from "vitest";
import { play, type Scene } from "../../../lab/tour/scene.ts";
import type { Role } from "../../../lab/tour/sides.ts";
import { until } from "../../support/until.ts";

/** Plays on the service by hand. */
async function onByHand(steps: (scene: Scene, api: Role) => Promise<void>, digestMs?: number) {
  return await play(
    "by hand",
    { clocks: digestMs === undefined ? {} : { digestMs }, redisArgs: [], redisEnv: {} },
    async (scene) => {
      const api = await scene.start("api");
      await scene.start("worker");
      await steps(scene, api);
      return api;
    },
  );
}

const nothing = { lost: 0, twice: 0, wrong: 0, inDoubt: 0 };
const anoop = { email: "anoop@example.com", name: "Anoop", message: "Hello" };

describe("the service by hand", () => {
  it("sends each mail once, also to who asks twice, and says how its job stands", async () => {
    const counts = await onByHand(async (scene, api) => {
      const id = await scene.mail(api, "anoop@example.com");
      expect(await scene.mail(api, "anoop@example.com")).toBe(id);
      await scene.mail(api, "maria@example.com");
      await scene.rest();
      expect(await scene.status(api, id)).toEqual({ state: "completed", code: undefined });
    });
    expect(counts).toEqual(nothing);
  });

  it("refuses bad input with 400, an unknown job with 404, and stores nothing", async () => {
    await onByHand(async (scene, api) => {
      const answers = await Promise.all(
        [
          { type: "welcome-email", payload: { ...anoop, email: "no address" }, idempotencyKey: "k" },
          { type: "welcome-email", payload: { ...anoop, extra: 1 }, idempotencyKey: "k" },
          { type: "no-such-type", payload: anoop, idempotencyKey: "k" },
          { type: "welcome-email", payload: anoop },
        ].map((body) =>
          fetch(`${api.url}/jobs`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify(body),
          }),
        ),
      );
      expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 400]);
      expect((await fetch(`${api.url}/jobs/none/status`)).status).toBe(404);
      expect(await scene.client.keys("key:*")).toEqual([]);
    });
  });

  it("tries a failing job three times, and leaves it failed", async () => {
    const counts = await onByHand(async (scene, api) => {
      scene.witness.ambush({ postStatus: 422 });
      const id = await scene.digest(api, "2026-12-01T09:00:00.000Z");
      await scene.rest();
      expect((await scene.status(api, id)).state).toBe("failed");
      expect(scene.witness.acts).toHaveLength(3);
    });
    expect(counts.wrong).toBe(1);
  });

  it("posts one digest for each tick, with two schedulers", async () => {
    await onByHand(async (scene) => {
      const env = { DIGEST_URL: scene.witness.postUrl };
      await Promise.all([scene.start("scheduler", env), scene.start("scheduler", env)]);
      await until("three digests are posted", () => scene.witness.acts.length >= 3);
      expect(new Set(scene.witness.acts).size).toBe(scene.witness.acts.length);
    }, 1_000);
  });
});

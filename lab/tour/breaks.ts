// Everything that breaks the service by hand, in the order of the tour. Each break is the same steps on both sides.
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { until } from "../../test/support/until.ts";
import { powerCutEnvironment } from "../lib/power-cut.ts";
import { startCut } from "./cut.ts";
import type { Scene } from "./scene.ts";
import type { Clocks, Role } from "./sides.ts";

export interface Break {
  readonly name: string;
  /** Of docs/tour.md. */
  readonly chapter: number;
  readonly title: string;
  readonly clocks?: Clocks;
  /** Redis that forgets what it has not written to disk. */
  readonly forgets?: boolean;
  /** @returns an API that knows how the jobs have ended */
  run(scene: Scene): Promise<Role>;
}

const CUTS_MAX = 8;
const RESERVED_MS = 1_000;
const quickLock = { lockMs: 1_000 };
const anoop = "anoop@example.com";

export const breaks: readonly Break[] = [
  {
    name: "lost-reply",
    chapter: 1,
    title: "The reply of `add` is lost",
    clocks: { keptJobs: 0, reservationMs: RESERVED_MS },
    run: async (scene) => {
      const cut = await startCut(scene.redis.url);
      try {
        const api = await scene.start("api", { REDIS_URL: cut.url });
        await scene.start("worker");
        // The worker must be at work before the reply is lost.
        await scene.mail(api, "first@example.com");
        await scene.rest();
        cut.loseReplyTo(`"email":"${anoop}"`, 2 * RESERVED_MS);
        await scene.mail(api, anoop);
        await scene.rest();
        return await scene.start("api");
      } finally {
        cut.stop();
      }
    },
  },
  {
    name: "forgotten-second",
    chapter: 1,
    title: "Redis forgets its last second",
    forgets: true,
    run: async (scene) => {
      const api = await scene.start("api");
      let forgotten = 0;
      // How much of the second was on disk when the power went is chance.
      for (let cut = 0; cut < CUTS_MAX && forgotten < 2; cut += 1) {
        const people = Array.from({ length: 50 }, (_, index) => `person-${cut}-${index}@example.com`);
        const ids = await Promise.all(people.map((to) => scene.mail(api, to)));
        await scene.redis.restart();
        const found = await Promise.all(ids.map((id) => scene.status(api, id)));
        forgotten += found.filter(({ state }) => state === "unknown").length;
      }
      await scene.start("worker");
      await scene.rest();
      return api;
    },
  },
  {
    name: "killed-before",
    chapter: 3,
    title: "Killed before the mail: the reservation ends too late",
    clocks: quickLock,
    run: (scene) => killedAt(scene, "beforeMail"),
  },
  {
    name: "late-answer",
    chapter: 3,
    title: "The provider answers 502 after it acted",
    run: async (scene) => {
      const api = await scene.start("api");
      await scene.start("worker");
      scene.witness.ambush({ postStatus: 502 });
      await scene.digest(api, "2026-12-01T09:00:00.000Z");
      await scene.rest();
      return api;
    },
  },
  {
    name: "client-resends",
    chapter: 3,
    title: "The client library sends again by itself",
    run: async (scene) => {
      const api = await scene.start("api");
      await scene.start("worker");
      scene.witness.ambush({ hangsUp: true });
      await scene.mail(api, anoop);
      await scene.rest();
      return api;
    },
  },
  {
    name: "trimmed",
    chapter: 4,
    title: "The same key after the job was trimmed",
    clocks: { keptJobs: 0, reservationMs: RESERVED_MS },
    run: async (scene) => {
      const api = await scene.start("api");
      await scene.start("worker");
      await scene.mail(api, anoop);
      await scene.rest();
      await until("the reservation has ended", async () => (await scene.client.keys("done:*")).length === 0);
      await scene.mail(api, anoop);
      await scene.rest();
      return api;
    },
  },
  {
    name: "other-content",
    chapter: 4,
    title: "Another payload under a used key",
    run: async (scene) => {
      const api = await scene.start("api");
      await scene.start("worker");
      await scene.mail(api, anoop, "signup-42");
      await scene.mail(api, "maria@example.com", "signup-42");
      await scene.rest();
      return api;
    },
  },
  {
    name: "killed-after",
    chapter: 4,
    title: "Killed between the mail and its record",
    clocks: { ...quickLock, reservationMs: RESERVED_MS },
    run: (scene) => killedAt(scene, "afterMail"),
  },
  {
    name: "paused",
    chapter: 4,
    title: "Paused for longer than the lock, then woken",
    clocks: quickLock,
    run: (scene) => paused(scene),
  },
  {
    name: "paused-early",
    chapter: 4,
    title: "The same, and the reservation ends too early",
    clocks: { ...quickLock, reservationMs: RESERVED_MS },
    run: (scene) => paused(scene),
  },
  {
    name: "wrong-clock",
    chapter: 5,
    title: "A scheduler's clock is an hour ahead",
    clocks: { digestMs: 60 * 60 * 1_000 },
    run: async (scene) => {
      const api = await scene.start("api");
      await scene.start("worker");
      const preload = fileURLToPath(
        new URL("../../test/support/fixtures/jumping-clock.mjs", import.meta.url),
      );
      const scheduler = await scene.start("scheduler", {
        DIGEST_URL: scene.witness.postUrl,
        NODE_OPTIONS: `--import=${preload}`,
        TEST_CLOCK_SHIFT_MS: String(60 * 60 * 1_000),
      });
      let hasEnded = false;
      void scheduler.ended.then(() => {
        hasEnded = true;
      });
      await until("a digest is posted or refused", () => hasEnded || scene.witness.acts.length > 0);
      await scene.rest();
      // The next hour's digest is posted now; when its hour has come, its key is used.
      for (const at of scene.witness.acts) if (Date.parse(at) > Date.now()) scene.isEarly();
      return api;
    },
  },
  {
    name: "all-down",
    chapter: 5,
    title: "Ticks while everything was down",
    clocks: { ...quickLock, digestMs: 1_000 },
    run: async (scene) => {
      const acts = () => scene.witness.acts.length;
      const env = { DIGEST_URL: scene.witness.postUrl };
      const since = Date.now();
      const first = await scene.start("scheduler", env);
      const worker = await scene.start("worker");
      // Before them it may catch up what was due before it was there, of which nobody has promised anything.
      await until("two digests are posted", () => digestsSince(scene, since).length >= 2);
      await first.kill("SIGKILL");
      // A worker that is killed in a post is another break.
      await scene.rest();
      await worker.kill("SIGKILL");
      await sleep(4_000);
      const before = acts();
      const api = await scene.start("api");
      await scene.start("worker");
      const scheduler = await scene.start("scheduler", env);
      await until("two more digests are posted", () => acts() >= before + 2);
      await scheduler.kill("SIGKILL");
      await scene.rest();
      isDueEachSecond(scene, since);
      return api;
    },
  },
];

/** @returns of which instants digests were posted, the earliest first */
function digestsSince(scene: Scene, since: number): number[] {
  const posted = scene.witness.acts.map((at) => Date.parse(at));
  return posted.filter((at) => at >= since).sort((a, b) => a - b);
}

/** Every second between the first and the last digest was due. */
function isDueEachSecond(scene: Scene, since: number): void {
  const posted = digestsSince(scene, since);
  const last = posted.at(-1) ?? 0;
  for (let at = posted[0] ?? 0; at <= last; at += 1_000) scene.isDue(new Date(at).toISOString());
}

/** The worker is killed in its mail; another one goes on. */
async function killedAt(scene: Scene, moment: "beforeMail" | "afterMail"): Promise<Role> {
  const api = await scene.start("api");
  const worker = await scene.start("worker");
  scene.witness.ambush({ [moment]: () => worker.kill("SIGKILL") });
  await scene.mail(api, anoop);
  await worker.ended;
  await scene.start("worker");
  await scene.rest();
  return api;
}

/** The worker stops right before it sends, another one takes the job over, and the first one wakes. */
async function paused(scene: Scene): Promise<Role> {
  const api = await scene.start("api");
  const worker = await scene.start("worker");
  let isPaused = false;
  scene.witness.ambush({
    beforeMail: async () => {
      await worker.kill("SIGSTOP");
      isPaused = true;
    },
  });
  const id = await scene.mail(api, anoop);
  await until("the first worker is paused", () => isPaused);
  await scene.start("worker");
  await until("the second worker has ended the job", async () =>
    ["completed", "failed"].includes((await scene.status(api, id)).state),
  );
  await worker.kill("SIGCONT");
  await scene.rest();
  return api;
}

/** What makes SIGKILL of Redis a power cut. @throws Error where no library can be built for it */
export function forgetfulRedis(): NodeJS.ProcessEnv {
  const env = powerCutEnvironment();
  if (env === undefined)
    throw new Error("The tour cuts the power of Redis, which needs Linux and a C compiler");
  return env;
}

import { defineConfig, defineJob, InDoubtError, type JobStatus, PermanentError } from "holdfast";
import { type HandlerRun, runHandler, startTestHoldfast } from "holdfast/testing";
import { describe, expect, inject, it, onTestFinished } from "vitest";
import { z } from "zod";

const HOUR_MS = 60 * 60 * 1000;

const lost = Object.assign(new Error("lost"), { code: "ECONNRESET" });

/** What an effect's function does in the first attempt, and in later ones if the answer is "unknown"; otherwise it returns "done". */
const behaviours = {
  "returns a value": () => ({ sent: true }),
  "returns what is no JSON": () => 10n,
  "is refused": () => Promise.reject(new Error("refused")),
  "is refused for good": () => Promise.reject(new PermanentError("never")),
  "loses its connection": () => Promise.reject(lost),
  "loses its connection, then is refused": (attempt: number) =>
    Promise.reject(attempt === 1 ? lost : new Error("refused")),
  "cannot know": () => Promise.reject(new InDoubtError("who knows?")),
};
type Behaviour = keyof typeof behaviours;
const answers = { "not-done": "not-done", unknown: "unknown", done: { done: "found" } } as const;

const act = defineJob({
  type: "act",
  payload: z.strictObject({
    effect: z.enum(["held", "probed", "repeated"]),
    behaviour: z.enum(Object.keys(behaviours) as [Behaviour, ...Behaviour[]]),
    answer: z.enum(["not-done", "unknown", "done"]),
    isSwallowed: z.boolean(),
  }),
  result: z.unknown(),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: HOUR_MS } },
  timeoutMs: 10_000,
  effects: {
    held: { timeoutMs: 1_000, inDoubt: "hold" },
    probed: { timeoutMs: 1_000, inDoubt: "probe" },
    repeated: { timeoutMs: 1_000, inDoubt: "repeat", downstreamRemembersMs: 24 * HOUR_MS },
  },
});

const actHandler = act.handler(async ({ payload, attempt, effect }) => {
  const isBad = attempt === 1 || payload.answer === "unknown";
  const body = async (): Promise<unknown> => (isBad ? await behaviours[payload.behaviour](attempt) : "done");
  const asked = effect(payload.effect, body, { probe: async () => answers[payload.answer] });
  return payload.isSwallowed ? await asked.catch(() => "swallowed") : await asked;
});

const payloads = (["held", "probed", "repeated"] as const).flatMap((effect) =>
  (Object.keys(behaviours) as Behaviour[]).flatMap((behaviour) =>
    (Object.keys(answers) as (keyof typeof answers)[]).flatMap((answer) =>
      [false, true].map((isSwallowed) => ({ effect, behaviour, answer, isSwallowed })),
    ),
  ),
);

function seenInStatus({ state, result, error, effects }: JobStatus) {
  const [effect] = effects;
  return {
    state,
    result: state === "completed" ? result : undefined,
    code: error?.code,
    effect: effect?.state,
  };
}

function seenInRun({ state, result, error, effects }: HandlerRun) {
  const found = effects[0]?.state;
  return { state, result, code: error?.code, effect: found === "not-done" ? undefined : found };
}

describe("a handler's run without a store", () => {
  it("ends as that of a real worker, whatever its effect does, in the first attempt and in the second", async () => {
    const application = defineConfig({ jobs: [act], handlers: async () => [actHandler] });
    const holdfast = await startTestHoldfast(application, {
      redisUrl: inject("redisUrl"),
      timeoutMs: 20_000,
    });
    onTestFinished(() => holdfast.stop());
    const submitted = await Promise.all(
      payloads.map(async (payload) => ({ payload, id: (await holdfast.submit(act, payload)).id })),
    );

    await holdfast.drain();
    for (const { payload, id } of submitted) {
      const real = seenInStatus(await holdfast.job(id).status());
      expect(seenInRun(await runHandler(actHandler, payload)), JSON.stringify(payload)).toEqual(real);
    }

    const before = new Map<string, JobStatus>();
    for (const { id } of submitted) before.set(id, await holdfast.job(id).status());
    await holdfast.clock.advance(HOUR_MS);
    await holdfast.drain();
    for (const { payload, id } of submitted) {
      const [left] = before.get(id)?.effects ?? [];
      if (before.get(id)?.state !== "delayed") continue;
      const isInDoubt = left?.state === "in-doubt";
      const effects = isInDoubt ? { [payload.effect]: { inDoubt: true as const } } : {};
      const run = await runHandler(actHandler, payload, { attempt: 2, effects });
      const real = seenInStatus(await holdfast.job(id).status());
      expect(seenInRun(run), `second attempt: ${JSON.stringify(payload)}`).toEqual(real);
    }
  });
});

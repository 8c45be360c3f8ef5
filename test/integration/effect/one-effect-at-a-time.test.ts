import { setImmediate as tick } from "node:timers/promises";
import { type Attempt, defineJob, NotDoneError, type ProbeAnswer } from "holdfast";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { applicationOf, createService, untilState } from "../../support/service.ts";

const job = defineJob({
  type: "acting",
  payload: z.null(),
  result: z.unknown(),
  retry: { attempts: 3, backoff: { kind: "fixed", delayMs: 20 } },
  timeoutMs: 10_000,
  effects: {
    act: { timeoutMs: 2_000, inDoubt: "hold" },
    probed: { timeoutMs: 800, inDoubt: "probe" },
    repeated: { timeoutMs: 800, inDoubt: "repeat", downstreamRemembersMs: 60_000 },
  },
});
type Handle = (attempt: Attempt<null, "act" | "repeated", "probed">) => Promise<unknown>;
type Call = Parameters<Handle>[0]["effect"];
const probe = async () => "unknown" as const;

async function run(handle: Handle) {
  const service = createService(applicationOf(job.handler(handle)), { HOLDFAST_LOCK_MS: "1000" });
  const producer = await service.createProducer();
  await service.startWorker();
  const { id } = await producer.submit(job, null, { idempotencyKey: "k" });
  return await untilState(producer, id, "completed", "failed");
}

const refused = () => Promise.reject(new NotDoneError("refused"));
const unanswered = () => Promise.reject(Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }));

describe("an effect that is called twice at once in one attempt", () => {
  it("runs once, and both get its result", async () => {
    let runs = 0;
    const act = async () => ++runs;

    const status = await run(async ({ effect }) => Promise.all([effect("act", act), effect("act", act)]));

    expect(status).toMatchObject({ state: "completed", attemptsMade: 1, result: [1, 1] });
    expect(runs).toBe(1);
  });

  it("and is refused downstream only uses up the job's attempts", async () => {
    let runs = 0;
    const act = () => {
      runs += 1;
      return refused();
    };

    const status = await run(async ({ effect }) =>
      Promise.all([effect("act", act, { index: "li" }), effect("act", act, { index: "li" })]),
    );

    expect(status).toMatchObject({ state: "failed", attemptsMade: 3, error: { code: "HANDLER_FAILED" } });
    expect(runs).toBe(3);
  });

  it("may be called again once the first call has failed", async () => {
    let runs = 0;

    const status = await run(async ({ effect }) => {
      await effect("act", refused).catch(() => {});
      return await effect("act", async () => ++runs);
    });

    expect(status).toMatchObject({ state: "completed", attemptsMade: 1, result: 1 });
  });
});

const insideItself = 'Effect "act" is called from inside itself';

describe("an effect that is called from inside itself", () => {
  it.each([
    ["at once", async () => {}],
    ["later", () => new Promise<void>((resolve) => setImmediate(resolve))],
  ])(
    "is refused with a clear error, %s, instead of waiting for itself, and may have acted before",
    async (_when, before) => {
      const status = await run(async ({ effect }) =>
        effect("act", async () => {
          await before();
          await effect("act", async () => 1);
        }),
      );

      expect(status).toMatchObject({
        state: "failed",
        attemptsMade: 1,
        error: { code: "EFFECT_IN_DOUBT", message: expect.stringContaining(insideItself) },
        effects: [{ name: "act", state: "in-doubt" }],
      });
    },
  );

  it.each([
    [
      "through another effect",
      (again: () => Promise<number>, effect: Call) => effect("act", again, { index: "other" }),
    ],
    ["beside other work", (again: () => Promise<number>) => Promise.all([tick(), tick().then(again)])],
    ["in a race", (again: () => Promise<number>) => Promise.race([tick().then(again)])],
  ])("is refused %s, too", async (_where, through) => {
    const status = await run(async ({ effect }) =>
      effect("act", async () => {
        await tick();
        await through(async () => {
          await tick();
          return (await effect("act", async () => 1)) ?? 0;
        }, effect);
      }),
    );

    expect(status).toMatchObject({
      state: "failed",
      error: { code: "EFFECT_IN_DOUBT", message: expect.stringContaining(insideItself) },
    });
  });

  it("joins it if a concurrent effect calls it", async () => {
    let runs = 0;
    const status = await run(async ({ effect }) => {
      const act = () =>
        effect("act", async () => {
          await tick();
          await tick();
          return ++runs;
        });
      return (await Promise.all([act(), effect("probed", act, { probe })]))[1];
    });

    expect(status).toMatchObject({ state: "completed", result: 1 });
    expect(runs).toBe(1);
  });

  it("may be called with another index", async () => {
    const status = await run(async ({ effect }) =>
      effect("act", async () => effect("act", async () => "inner", { index: "b" }), { index: "a" }),
    );

    expect(status).toMatchObject({ state: "completed", result: "inner" });
  });
});

describe("a thousand indexes of one effect", () => {
  it("each run once, at the same time", async () => {
    const runs: string[] = [];
    const indexes = Array.from({ length: 1_000 }, (_, n) => String(n));

    const status = await run(async ({ effect }) => {
      await Promise.all(indexes.map((index) => effect("act", async () => void runs.push(index), { index })));
    });

    expect(status.state).toBe("completed");
    expect(status.effects).toHaveLength(1_000);
    expect(runs.sort()).toEqual(indexes.sort());
  });
});

describe("a probe", () => {
  /** Answers of untyped code. */
  const oddAnswers: readonly [string, unknown][] = [
    ["false", false],
    ["true", true],
    ["{}", {}],
    ["an unknown word", "not_done"],
    ["nothing", undefined],
    ["null", null],
    ["a list", []],
    ["0", 0],
  ];

  it.each(oddAnswers)("that answers %s counts as unknown", async (_name, answer) => {
    let runs = 0;
    const act = () => {
      runs += 1;
      return unanswered();
    };

    const status = await run(async ({ effect }) =>
      effect<unknown>("probed", act, { probe: async () => answer as ProbeAnswer<unknown> }),
    );

    expect(status).toMatchObject({
      state: "failed",
      error: { code: "EFFECT_IN_DOUBT" },
      effects: [{ name: "probed", state: "in-doubt" }],
    });
    expect(runs).toBe(1);
  });

  it("that throws, returns no promise or hangs counts as unknown, too", async () => {
    const probes = [
      () => {
        throw new Error("at once");
      },
      () => "not a promise",
      () => new Promise(() => {}),
    ];
    let calls = 0;

    const status = await run(async ({ effect }) =>
      effect<unknown>("probed", unanswered, {
        probe: (() => probes[calls++ % probes.length]?.()) as () => Promise<ProbeAnswer<unknown>>,
      }),
    );

    expect(status).toMatchObject({ state: "failed", error: { code: "EFFECT_IN_DOUBT" } });
  });
});

describe("a classifier that throws or answers nonsense", () => {
  it.each([
    [
      "throws",
      () => {
        throw new Error("confused");
      },
    ],
    ["answers nonsense", () => "done" as never],
  ])("%s: the effect is in doubt", async (_name, classify) => {
    const status = await run(async ({ effect }) => effect("act", refused, { classify }));

    expect(status).toMatchObject({
      error: { code: "EFFECT_IN_DOUBT" },
      effects: [{ name: "act", state: "in-doubt" }],
    });
  });
});

describe("an effect's fence", () => {
  it("grows with each reservation, whatever the outcome of the one before", async () => {
    const fences: number[] = [];
    const keys = new Set<string>();

    const status = await run(async ({ effect, attempt }) => {
      for (let times = 0; times < 3; times += 1)
        await effect("repeated", async ({ fence, key }) => {
          fences.push(fence);
          keys.add(key);
          if (attempt < 3) return times === 0 ? unanswered() : refused();
        }).catch(() => {});
      if (attempt < 3) throw new Error("again");
    });

    expect(status.state).toBe("completed");
    expect(keys.size).toBe(1);
    expect(fences.length).toBeGreaterThan(3);
    expect(fences.every(Number.isSafeInteger)).toBe(true);
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b));
  });
});

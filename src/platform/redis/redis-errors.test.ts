import { ReplyError } from "ioredis";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { inTimeTogether, isUnanswered, untilAnswered } from "./redis-errors.ts";

const isLeased = () => true;
const refused = (message = "OOM command not allowed when used memory > 'maxmemory'.") =>
  new (ReplyError as unknown as new (message: string) => Error)(message);

/** Fails as often as there are errors, then answers. */
function failing(...errors: unknown[]) {
  let calls = 0;
  return {
    get calls() {
      return calls;
    },
    async work() {
      calls += 1;
      if (calls <= errors.length) throw errors[calls - 1];
      return "answer";
    },
  };
}

describe("a step that is sent until Redis answers it", () => {
  it("is sent again after a refusal, which is reported once", async () => {
    const reported: unknown[] = [];
    const first = refused();
    const step = failing(
      first,
      refused("MISCONF Errors writing to the AOF file"),
      refused("NOREPLICAS Not enough"),
    );

    expect(await untilAnswered(step.work, { isLeased, onRefused: (error) => reported.push(error) })).toBe(
      "answer",
    );

    expect(step.calls).toBe(4);
    expect(reported).toEqual([first]);
  });

  it("is sent again while Redis is away", async () => {
    const step = failing(
      new HoldfastError("STORE_UNAVAILABLE", "away"),
      new Error("Connection is closed."),
      new Error("Stream isn't writeable and enableOfflineQueue options is false"),
    );

    expect(await untilAnswered(step.work, { isLeased })).toBe("answer");
  });

  it("is given up once nobody needs the answer any more", async () => {
    const last = refused();
    const step = failing(last, last, last);

    await expect(untilAnswered(step.work, { isLeased: async () => step.calls < 2 })).rejects.toBe(last);
    expect(step.calls).toBe(2);
  });

  it.each([
    ["a script's no", Object.assign(new Error("Missing lock for job a. moveToFinished"), { code: -2 })],
    ["an error that comes back each time", refused("WRONGTYPE Operation against a key")],
    ["a fault of ours", new HoldfastError("LOCK_LOST", "lost")],
    ["a mistake in code", new TypeError("x is not a function")],
    ["no error at all", undefined],
  ])("is not sent again after %s", async (_, answer) => {
    const step = failing(answer);

    await expect(untilAnswered(step.work, { isLeased })).rejects.toBe(answer);
    expect(step.calls).toBe(1);
    expect(isUnanswered(answer)).toBe(false);
  });
});

describe("an answer that waits for Redis several times", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const inMs = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  it("comes no later than after one wait, not counting what a processor takes in between", async () => {
    const inRedisTime = inTimeTogether(300);
    const first = inRedisTime(inMs(200));
    await vi.advanceTimersByTimeAsync(200);
    await first;
    await vi.advanceTimersByTimeAsync(5_000);

    const late = expect(inRedisTime(inMs(200))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    const answered = vi.fn();
    void late.then(answered);
    await vi.advanceTimersByTimeAsync(99);
    expect(answered).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(2);
    await late;
  });

  it("gets what comes in time", async () => {
    const inRedisTime = inTimeTogether(300);
    for (let n = 0; n < 2; n += 1) {
      const step = inRedisTime(inMs(100).then(() => "answer"));
      await vi.advanceTimersByTimeAsync(100);
      expect(await step).toBe("answer");
    }
  });
});

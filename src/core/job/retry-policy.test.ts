import { describe, expect, it } from "vitest";
import { retryPolicySchema, startsAllowed } from "./retry-policy.ts";

const fixed = { kind: "fixed", delayMs: 0 };
const yearMs = 366 * 24 * 60 * 60 * 1000;

const faultsOf = (policy: unknown) =>
  retryPolicySchema.safeParse(policy).error?.issues.map(({ path }) => path.join("."));

describe("a retry policy", () => {
  it.each([
    { attempts: 1, backoff: fixed },
    { attempts: 100, backoff: { kind: "fixed", delayMs: yearMs } },
    { attempts: 5, backoff: { kind: "exponential", delayMs: 1_000 } },
    { attempts: 5, backoff: { kind: "exponential", delayMs: 1_000, jitter: 1 }, maxStarts: 5 },
  ])("may be %j", (policy) => {
    expect(faultsOf(policy)).toBeUndefined();
  });

  it.each([
    ["no attempt", { attempts: 0, backoff: fixed }, ["attempts"]],
    ["half an attempt", { attempts: 1.5, backoff: fixed }, ["attempts"]],
    ["attempts without end", { attempts: Number.POSITIVE_INFINITY, backoff: fixed }, ["attempts"]],
    ["more than 100 attempts", { attempts: 101, backoff: fixed }, ["attempts"]],
    ["no backoff", { attempts: 3 }, ["backoff"]],
    ["a negative delay", { attempts: 3, backoff: { kind: "fixed", delayMs: -1 } }, ["backoff.delayMs"]],
    ["another kind", { attempts: 3, backoff: { kind: "linear", delayMs: 1 } }, ["backoff.kind"]],
    ["jitter on a fixed delay", { attempts: 3, backoff: { ...fixed, jitter: 0.5 } }, ["backoff"]],
    [
      "jitter above the whole",
      { attempts: 3, backoff: { kind: "exponential", delayMs: 1, jitter: 1.1 } },
      ["backoff.jitter"],
    ],
    ["fewer starts than attempts", { attempts: 3, backoff: fixed, maxStarts: 2 }, ["maxStarts"]],
    [
      "delays that double beyond a year",
      { attempts: 36, backoff: { kind: "exponential", delayMs: 1_000 } },
      ["backoff"],
    ],
    ["an unknown member", { attempts: 3, backoff: fixed, retries: 3 }, [""]],
  ])("may not have %s", (_, policy, places) => {
    expect(faultsOf(policy)).toEqual(places);
  });

  it("allows maxStarts, or by default five more than the attempts", () => {
    const policy = { attempts: 3, backoff: { kind: "fixed", delayMs: 0 } } as const;

    expect(startsAllowed(policy)).toBe(8);
    expect(startsAllowed({ ...policy, maxStarts: 4 })).toBe(4);
  });
});

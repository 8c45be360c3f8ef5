import { describe, expect, it } from "vitest";
import { EXPORT_MARGIN_MS, planImport, wouldBeNamed } from "./provider-export.ts";

const NOW = Date.parse("2026-11-28T03:00:00Z");
const doubtAt = (beforeNowMs: number, effectKey: string | null = `key-${beforeNowMs}`) => ({
  effectKey,
  since: new Date(NOW - beforeNowMs).toISOString(),
});

describe("an export", () => {
  it.each([
    [EXPORT_MARGIN_MS + 1, 0, true],
    [EXPORT_MARGIN_MS, 0, false],
    [-1_000, 0, false],
    [0, 3_600_000, false],
    [EXPORT_MARGIN_MS + 1, 3_600_000, true],
    [EXPORT_MARGIN_MS + 1, -1, false],
  ])(
    "that is complete until %2$d ms from now would name what was in doubt %1$d ms ago: %3$s",
    (ago, until, isNamed) => {
      expect(wouldBeNamed(doubtAt(ago), NOW + until, NOW)).toBe(isNamed);
    },
  );

  it("proposes as done what it names, whenever that began, and leaves what it may not name yet", () => {
    const [old, named, late, unknown] = [
      doubtAt(2 * EXPORT_MARGIN_MS),
      doubtAt(1),
      doubtAt(2),
      doubtAt(2 * EXPORT_MARGIN_MS, null),
    ];
    const doubts = [old, named, late, unknown];
    const values = new Set(["key-1"]);

    expect(planImport(doubts, values, { completeUntil: NOW, now: NOW })).toEqual({
      done: [named],
      notDone: [old],
      left: 2,
    });
    expect(planImport(doubts, values, undefined)).toEqual({ done: [named], notDone: [], left: 3 });
  });
});

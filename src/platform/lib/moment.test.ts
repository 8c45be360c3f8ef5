import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ageOf, momentNow, NEVER } from "./moment.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date", "performance"], now: 1_000_000 });
});
afterEach(() => void vi.useRealTimers());

it("is as old as both clocks say", () => {
  const moment = momentNow();
  vi.advanceTimersByTime(1_500);
  expect(ageOf(moment)).toBe(1_500);
});

it("counts the time for which the machine was suspended, and the steady clock stood still", () => {
  const moment = momentNow();
  vi.setSystemTime(Date.now() + 60_000);
  expect(ageOf(moment)).toBe(60_000);
});

it("is too old for anything once the time of day was set back", () => {
  const moment = momentNow();
  vi.advanceTimersByTime(100);
  vi.setSystemTime(Date.now() - 3_600_000);
  expect(ageOf(moment)).toBe(Number.POSITIVE_INFINITY);
});

it("was always too long ago where it never was", () => {
  expect(ageOf(NEVER)).toBe(Number.POSITIVE_INFINITY);
});

import { describe, expect, it } from "vitest";
import { durationOf, instantOf } from "./instant.ts";

const now = Date.parse("2026-11-28T12:00:00Z");
const read = (text: string) => {
  const at = instantOf(text, now);
  return at === undefined ? undefined : new Date(at).toISOString();
};

describe("an instant", () => {
  it.each([
    ["1h", "2026-11-28T11:00:00.000Z"],
    ["90s", "2026-11-28T11:58:30.000Z"],
    ["30min", "2026-11-28T11:30:00.000Z"],
    ["30m", "2026-11-28T11:30:00.000Z"],
    ["7 d", "2026-11-21T12:00:00.000Z"],
    ["2w", "2026-11-14T12:00:00.000Z"],
    ["2026-11-28", "2026-11-28T00:00:00.000Z"],
    ["2026-11-28T09:00Z", "2026-11-28T09:00:00.000Z"],
    ["2026-11-28T09:00:00.5+05:30", "2026-11-28T03:30:00.500Z"],
  ])("is read from %s", (text, at) => {
    expect(read(text)).toBe(at);
  });

  it.each([
    "",
    "h",
    "1",
    "-1h",
    "1.5h",
    "1y",
    "1H",
    "an hour",
    "1h30min",
    "2026-02-30",
    "2026-13-01",
    "2026-02-30T10:00:00Z",
    "2026-11-28T09:00:00",
    "2026-11-28T24:00:00Z",
    "28.11.2026",
  ])("is not guessed from %j", (text) => {
    expect(read(text)).toBeUndefined();
  });

  it("is never before 1970, however old it should be", () => {
    expect(instantOf("999999999d", now)).toBe(0);
  });
});

describe("a duration", () => {
  it("is a number with a unit", () => {
    expect([durationOf("12h"), durationOf("250ms"), durationOf("12"), durationOf("2026-11-28")]).toEqual([
      43_200_000,
      250,
      undefined,
      undefined,
    ]);
  });
});

import { describe, expect, it } from "vitest";
import { check } from "../src/platform/lib/schema.ts";
import { schedules } from "./schedules.ts";

describe("the daily digest's schedule", () => {
  it("asks for the whole day before the tick, the same each time", () => {
    const digest = schedules.find(({ name }) => name === "daily-digest");
    const tick = { at: new Date("2026-03-01T07:00:00Z") };
    const day = { from: "2026-02-28T00:00:00.000Z", to: "2026-03-01T00:00:00.000Z" };
    expect(digest?.payload(tick)).toEqual(day);
    expect(digest?.payload(tick)).toEqual(day);
    expect(digest && check(digest.job.payload, day)).toMatchObject({ value: day });
  });
});

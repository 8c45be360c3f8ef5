import { describe, expect, it } from "vitest";
import { durationText, exactDurationText } from "./duration-text.ts";

describe("a length of time", () => {
  it.each([
    [0, "0 ms"],
    [0.34, "0.3 ms"],
    [250.2, "250 ms"],
    [999.7, "1 s"],
    [4_100, "4.1 s"],
    [9_999.7, "10 s"],
    [44_937, "44 s"],
    [60_400, "1 min"],
    [125_000, "2 min 5 s"],
    [3_605_000, "1 h"],
    [100_800_000, "1 d 4 h"],
  ])("that was measured is short: at most two units or a tenth: %d ms, %s", (ms, text) => {
    expect(durationText(ms)).toBe(text);
  });

  it.each([
    [1_000, "1 s"],
    [900_000, "15 min"],
    [5_405_250, "1 h 30 min 5 s 250 ms"],
    [604_800_000, "7 d"],
  ])("that was set is shown to the millisecond: %d ms, %s", (ms, text) => {
    expect(exactDurationText(ms)).toBe(text);
  });
});

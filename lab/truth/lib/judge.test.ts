import { expect, it } from "vitest";
import { type Judging, judge } from "./judge.ts";

const acted = (count: number, attemptsThatActed = Math.min(count, 1)) => ({
  count,
  attempts: 3,
  attemptsThatActed,
});
const row: Judging = {
  mode: "as is",
  proof: undefined,
  verdict: "in doubt",
  acts: acted(0),
  error: "",
  evidence: [],
};

it("calls what acted in two attempts wrong, whatever was said of it", () => {
  expect(judge({ ...row, verdict: "done", acts: acted(2, 2) }).wrong).toBe("acted again");
  expect(judge({ ...row, acts: acted(3, 3) }).wrong).toBe("acted again");
});

it("blames the library for acting again in one attempt only where it was asked not to", () => {
  expect(judge({ ...row, acts: acted(3) }).wrong).toBeUndefined();
  expect(judge({ ...row, mode: "as documented", acts: acted(3) }).wrong).toBe("library acted again");
});

it("finds what acted and is called not done", () => {
  expect(judge({ ...row, verdict: "not done", acts: acted(1) }).wrong).toBe("falsely not done");
});

it("accepts not done only where that is proved", () => {
  expect(judge({ ...row, verdict: "not done" }).wrong).toBe("not done without proof");
  expect(judge({ ...row, verdict: "not done", proof: "refused" }).wrong).toBeUndefined();
});

it("takes it as proved where nothing that could act was ever sent, whatever downstream would have done", () => {
  const acts = { ...acted(0), isNeverReached: true };
  expect(judge({ ...row, verdict: "not done", acts }).wrong).toBeUndefined();
  expect(judge({ ...row, acts }).wrong).toBe("needlessly in doubt");
  expect(judge({ ...row, verdict: "not done", acts: { ...acts, isNeverReached: false } }).wrong).toBe(
    "not done without proof",
  );
});

it("calls a doubt needless only where something proves that nothing happened", () => {
  expect(judge(row).wrong).toBeUndefined();
  expect(judge({ ...row, proof: "never reached" }).wrong).toBe("needlessly in doubt");
});

it("finds what did not act and is called done, what lost its result, and what has no verdict", () => {
  expect(judge({ ...row, verdict: "done" }).wrong).toBe("falsely done");
  expect(judge({ ...row, verdict: "done, result lost", acts: acted(1) }).wrong).toBe("result lost");
  expect(judge({ ...row, verdict: undefined }).wrong).toBe("no verdict");
});

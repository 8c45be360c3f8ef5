import { expect, it } from "vitest";
import { noCounts } from "./checker.ts";
import { mergeResults, type Result } from "./kept-results.ts";

const outcome = { counts: noCounts, measured: [], broken: [], controls: [] };
const result = (number: number, form: Result["form"], seed: number): Result => ({
  number,
  form,
  date: "2026-11-27",
  seed,
  seconds: 1,
  outcome,
});

it("keeps what other experiments found when only some are run", () => {
  const merged = mergeResults(
    [result(1, "full", 1), result(3, "full", 1)],
    [result(2, "full", 2), result(3, "full", 2)],
  );
  expect(merged.map(({ number, seed }) => [number, seed])).toEqual([
    [1, 1],
    [2, 2],
    [3, 2],
  ]);
});

it("keeps what was found on Valkey beside what was found on Redis", () => {
  const onValkey = (seed: number) => ({ ...result(2, "full", seed), store: "Valkey 8.1.1" });
  const merged = mergeResults([onValkey(1), result(2, "full", 1), result(3, "full", 1)], [onValkey(2)]);
  expect(merged.map(({ number, seed, store }) => [number, seed, store])).toEqual([
    [2, 1, undefined],
    [2, 2, "Valkey 8.1.1"],
    [3, 1, undefined],
  ]);
});

it("replaces a short form by a full one, and never the other way round", () => {
  const merged = mergeResults(
    [result(1, "short", 1), result(2, "full", 1), result(3, "short", 1)],
    [result(1, "full", 2), result(2, "short", 2), result(3, "short", 2)],
  );
  expect(merged.map(({ form, seed }) => [form, seed])).toEqual([
    ["full", 2],
    ["full", 1],
    ["short", 2],
  ]);
});

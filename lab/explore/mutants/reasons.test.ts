import { expect, it } from "vitest";
import { readKeptMutants } from "../lib/kept.ts";
import outside from "./outside.json" with { type: "json" };
import { type Changes, readMutants } from "./places.ts";
import { breaks, elsewhere, equivalent } from "./reasons.ts";

const changesIn = (all: Changes) =>
  Object.values(all).flatMap((files) =>
    Object.entries(files).flatMap(([file, changes]) => changes.map((change) => `${file} ${change}`)),
  );

it("gives reasons, and names, only to changes that are made", () => {
  const mutants = [...readMutants().values()].flatMap((read) => read.mutants);
  const made = new Set(mutants.map(({ file, was, becomes }) => `${file} ${was} → ${becomes}`));
  const named = Object.entries(breaks).flatMap(([file, changes]) =>
    Object.keys(changes).map((change) => `${file} ${change}`),
  );

  const given = [outside, equivalent, elsewhere].flatMap(changesIn);
  expect([...given, ...named].filter((change) => !made.has(change))).toEqual([]);
  expect(given.filter((change, at) => given.indexOf(change) !== at)).toEqual([]);
});

it("knows of each change that is kept what notices it, or why nothing need", () => {
  const known = /^(killed|tested|equivalent)$/;
  expect(readKeptMutants().filter(({ outcome }) => !known.test(outcome))).toEqual([]);
});

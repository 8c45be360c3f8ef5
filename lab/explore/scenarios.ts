import { EFFECT_MS } from "./lib/machine.ts";
import type { Scenario } from "./lib/run.ts";

const hold = { timeoutMs: EFFECT_MS, inDoubt: "hold" } as const;
const repeat = { timeoutMs: EFFECT_MS, inDoubt: "repeat", downstreamRemembersMs: 86_400_000 } as const;
const probe = { timeoutMs: EFFECT_MS, inDoubt: "probe" } as const;

export const scenarios: readonly Scenario[] = [
  {
    name: "one-worker",
    job: { effects: { charge: hold } },
    workers: ["w1"],
    around: [],
    quick: { faults: 1, jumps: 1, areLong: true },
    whole: { faults: 2, jumps: 3 },
  },
  {
    name: "two-workers",
    job: { effects: { charge: hold } },
    workers: ["w1", "w2"],
    around: ["look"],
    quick: { faults: 0, jumps: 1, areLong: true },
    whole: { faults: 1, jumps: 3 },
  },
  {
    name: "two-effects",
    job: { effects: { charge: hold, mail: hold } },
    workers: ["w1"],
    around: ["look"],
    quick: { faults: 1, jumps: 0 },
    whole: { faults: 1, jumps: 2 },
  },
  {
    name: "at-once",
    job: { effects: { charge: hold, mail: hold }, atOnce: true },
    workers: ["w1"],
    around: ["look"],
    quick: { faults: 1, jumps: 0 },
    whole: { faults: 1, jumps: 2 },
  },
  {
    name: "operator",
    job: { effects: { charge: hold } },
    looks: 1,
    workers: ["w1"],
    around: ["look"],
    quick: { faults: 0, jumps: 1, areLong: true },
    whole: { faults: 1, jumps: 3 },
  },
  {
    name: "sweep",
    job: { effects: { charge: hold } },
    workers: ["w1"],
    around: ["look", "sweep"],
    quick: { faults: 0, jumps: 1, areLong: true },
    whole: { faults: 2, jumps: 2 },
  },
  {
    name: "repeat",
    job: { effects: { charge: repeat } },
    remembersKeys: true,
    workers: ["w1", "w2"],
    around: ["look"],
    quick: { faults: 0, jumps: 1, areLong: true },
    whole: { faults: 1, jumps: 3 },
  },
  {
    name: "probe",
    job: { effects: { charge: probe } },
    workers: ["w1"],
    around: ["look"],
    quick: { faults: 0, jumps: 1, areLong: true },
    whole: { faults: 1, jumps: 3 },
  },
];

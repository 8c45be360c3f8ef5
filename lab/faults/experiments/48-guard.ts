import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Table } from "../../../test/support/report.ts";
import { groupBy } from "../../lib/group-by.ts";
import { until } from "../../lib/waiting.ts";
import { type Counts, injectionsIn, noCounts } from "../lib/checker.ts";
import { brokenBy, type Context, type Control, controlOf, type Experiment, sum } from "../lib/experiment.ts";
import {
  type FinalState,
  type GuardedKey,
  judgeKey,
  resolveAll,
  resolveListed,
  statesOf,
} from "../lib/guarded-check.ts";
import type { GuardPlan, PlannedKey } from "../lib/inside/guard-plan.ts";
import { type InjectionPoint, injectionPoints } from "../lib/inside/points.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutGuardedDeadline, withoutGuardedDoubt, withoutReservationId } from "../lib/mutations.ts";
import type { Role } from "../lib/role.ts";
import { type Testbed, withTestbed } from "../lib/testbed.ts";
import type { WitnessedEffect } from "../lib/witness.ts";

export const guard: Experiment = {
  number: 48,
  title: "Guarded effects, without jobs",
  fault:
    "two to eight processes, those in Python over HTTP, call the same keys; whoever is first at a key is killed or paused at each step until its time is over, or " +
    "Redis is killed there, and the API meanwhile; doubts are resolved as not done while the first run sleeps",
  mustHold:
    "effects ≤ 1 per key; in doubt exactly where nobody can know; every doubt can be resolved, and then each key is done once",
  async run(context) {
    const sizes = context.isQuick ? [quick] : full;
    const controls = runControls(context);
    const storms: Storm[] = [];
    for (const size of sizes) storms.push(await storm(context, planOf(context, size.rounds), size));
    const counts = sum(storms.map(({ counts }) => counts));
    const findings = storms.flatMap(({ findings }) => findings);
    return {
      counts,
      table: perFault(storms.flatMap(({ keys }) => keys)),
      measured: [
        `${counts.acknowledged} keys, ${counts.faults} faults, by ${sizes.map(countOf).join(", ")} processes`,
      ],
      broken: brokenBy({ counts, jobs: [], findings, ended: storms.flatMap(({ ended }) => ended) }),
      controls: await controls,
    };
  },
};

interface Size {
  readonly rounds: number;
  readonly guards: number;
  readonly pythons: number;
}

const quick: Size = { rounds: 1, guards: 4, pythons: 2 };
const full: readonly Size[] = [
  { rounds: 2, guards: 1, pythons: 1 },
  { rounds: 6, guards: 3, pythons: 1 },
  { rounds: 10, guards: 6, pythons: 2 },
];

function countOf({ guards, pythons }: Size): number {
  return guards + pythons;
}

const TIMEOUT_MS = 2_500;
/** Others wait a second longer before they call it in doubt. */
const PAUSE_MS = TIMEOUT_MS + 1_000 + 500;
const PLAIN_KEYS = 20;

const points = injectionPoints.filter((point) => !point.startsWith("finish:"));

/** Each fault at each point, some keys without, and some whose first run sleeps until a second one is under way. */
function planOf({ random }: Context, rounds: number): GuardPlan {
  const keys: [string, PlannedKey][] = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const at of points) {
      for (const how of ["kill", "stop", "store"] as const)
        keys.push([`${how}-${at}-${round}`, { inject: { at, how } }]);
    }
    for (let plain = 0; plain < PLAIN_KEYS; plain += 1) keys.push([`plain-${plain}-${round}`, {}]);
    keys.push([`${SLEPT}${round}`, slept]);
  }
  const shuffled = keys.map((key) => ({ key, at: random.between(0, 1_000_000) })).sort((a, b) => a.at - b.at);
  return { timeoutMs: TIMEOUT_MS, keys: Object.fromEntries(shuffled.map(({ key }) => key)) };
}

const SLEPT = "slept-";
const slept: PlannedKey = { inject: { at: "reserve:after", how: "stop" }, outlastsFirst: true };

interface Storm {
  readonly counts: Counts;
  readonly keys: readonly GuardedKey[];
  readonly findings: readonly string[];
  /** Who ended without a fault: what they were at is in doubt. */
  readonly ended: readonly string[];
}

/** Where the client for Python is. */
const PYTHON = {
  PYTHONPATH: fileURLToPath(new URL("../../../examples/guard", import.meta.url)),
  PYTHONDONTWRITEBYTECODE: "1",
};
const SETTLES_WITHIN_MS = 120_000;
/** A fault takes its process away: paused until its time is over, or started anew. One process alone meets its faults one after the other. */
const AWAY_MS = PAUSE_MS + 2_000;
/** Without deadlines, what was reserved by a dead process never settles. */
const STAYS_FOR_MS = 12_000;

interface Removed {
  readonly mutation: Mutation;
  /** Whether what is missing was seen: without it keys may settle, and go on. @default when all keys are settled */
  readonly isSeen?: (testbed: Testbed) => boolean;
  /** How long that may take. */
  readonly withinMs: number;
}

/** @param removed the protection that a control removes */
async function storm(
  context: Context,
  plan: GuardPlan,
  size: Omit<Size, "rounds">,
  removed?: Removed,
): Promise<Storm> {
  const planned = Object.values(plan.keys).filter(({ inject }) => inject !== undefined).length;
  const settlesWithinMs = SETTLES_WITHIN_MS + planned * AWAY_MS;
  const { mutation, isSeen, withinMs = settlesWithinMs } = removed ?? {};
  const options = { workers: 0, api: size.pythons > 0, ...(mutation && { mutation }) };
  return await withTestbed(options, async (testbed) => {
    writeFileSync(join(testbed.directory, "plan.json"), JSON.stringify(plan));
    const api = await followApi(testbed);
    const callers = [
      ...numbered(size.guards).map((number) => testbed.startRole("guarded", `guard${number}`)),
      ...numbered(size.pythons).map((number) => testbed.startRole("guarded.py", `python${number}`, PYTHON)),
    ];
    const waker = startWaker(testbed, callers);
    const killsApi = size.pythons > 0 && !testbed.isControl;
    const kills = killsApi ? api.killAfter(context.random.between(1_000, 4_000)) : undefined;
    // A key may be in doubt before its own fault, since its process was killed at another one.
    const isSettled = async () => {
      const injected = injectionsIn(testbed.trace.read()).length;
      context.say(`${injected} of ${planned} faults, ${testbed.witnessed().length} effects`);
      if (isSeen !== undefined) return isSeen(testbed);
      if (waker.asleep() > 0) return false;
      const states = await statesOf(testbed);
      return Object.keys(plan.keys).every((key) =>
        ["done", "in-doubt"].includes(states.get(key)?.state ?? ""),
      );
    };
    await until(isSettled, { withinMs, everyMs: 100 });
    await kills;
    const keys = judge(testbed, plan, await statesOf(testbed), api.deaths);
    const ended = testbed.ended();
    const stuck = testbed.isControl ? [] : await resolveAll(testbed, Object.keys(plan.keys), settlesWithinMs);
    await Promise.all([waker.stop(), api.stop()]);
    const faults = injectionsIn(testbed.trace.read()).length + api.deaths.length;
    return { ...sumUp(keys, stuck, testbed, faults), ended };
  });
}

function judge(
  testbed: Testbed,
  plan: GuardPlan,
  states: ReadonlyMap<string, FinalState>,
  apiDeaths: readonly number[],
): GuardedKey[] {
  const steps = groupBy([...testbed.trace.read()], ({ jobId }) => jobId);
  const acts = groupBy(testbed.witnessed(), ({ job }) => job);
  const known = {
    timeoutMs: plan.timeoutMs,
    deaths: testbed.deaths,
    outages: testbed.outages.all,
    apiDeaths,
  };
  return Object.keys(plan.keys).map((key) =>
    judgeKey(
      { key, steps: steps.get(key) ?? [], acts: acts.get(key) ?? [], state: states.get(key)?.state },
      known,
      {
        wasResolved: key.startsWith(SLEPT),
      },
    ),
  );
}

function sumUp(
  keys: readonly GuardedKey[],
  stuck: readonly string[],
  { witnessed }: Testbed,
  faults: number,
): Omit<Storm, "ended"> {
  const twice = repeatedIn(witnessed());
  const count = (kind: keyof Counts) => keys.filter(({ kinds }) => kinds.includes(kind)).length;
  const kinds = [
    "falselyDone",
    "doubtDone",
    "doubtNotDone",
    "unexplained",
    "concealed",
    "notEnded",
    "refused",
  ] as const;
  const counts = {
    ...noCounts,
    acknowledged: keys.length,
    repeated: twice.length,
    stuck: stuck.length,
    faults,
    ...Object.fromEntries(kinds.map((kind) => [kind, count(kind)])),
  };
  const told = keys.filter(({ isFinding }) => isFinding).map(({ history }) => history);
  return {
    counts,
    keys,
    findings: [...twice.map((key) => `${key} acted twice`), ...stuck, ...told].slice(0, 20),
  };
}

/** @returns the keys that acted twice */
function repeatedIn(acts: readonly WitnessedEffect[]): string[] {
  return [...groupBy([...acts], ({ job }) => job)].filter(([, own]) => own.length > 1).map(([key]) => key);
}

/** The API gets another port with each start: says which to those that call it. */
async function followApi({ api, directory }: Testbed) {
  const deaths: number[] = [];
  let isOver = false;
  const tell = async () => {
    const { url = "" } = (await api?.ready()) ?? {};
    // In one step: whoever reads it meanwhile gets the one before.
    const [next, known] = [join(directory, "next-api-url"), join(directory, "api-url")];
    writeFileSync(next, url);
    renameSync(next, known);
  };
  await tell();
  return {
    deaths,
    async killAfter(ms: number) {
      await sleep(ms); // a random moment is the point
      if (isOver) return;
      deaths.push(Date.now());
      api?.signal("SIGKILL");
      await tell();
      // It could be reached again only now.
      deaths.push(Date.now());
    },
    async stop() {
      isOver = true;
    },
  };
}

/** Resumes each paused process once its time is over, or another run of its effect is under way. */
function startWaker(testbed: Testbed, callers: readonly Role[]) {
  const seen = new Set<string>();
  let [asleep, isOver] = [0, false];
  const wake = async (key: string, life: string, at: number) => {
    const resume = () => callers.find((caller) => caller.life === life)?.signal("SIGCONT");
    const isSlept = key.startsWith(SLEPT);
    try {
      if (isSlept) await untilRunAgain(testbed, key, life);
      else await sleep(Math.max(0, at + PAUSE_MS - Date.now()));
    } finally {
      resume();
    }
    if (isSlept) await untilUp(testbed, key, life);
  };
  const watching = (async () => {
    while (!isOver) {
      for (const { jobId, life, at, detail } of injectionsIn(testbed.trace.read())) {
        if (seen.has(jobId) || !detail.startsWith("stop")) continue;
        seen.add(jobId);
        asleep += 1;
        const isAwake = () => {
          asleep -= 1;
        };
        // One that could not be resolved in time is awake as well: its key says what became of it.
        wake(jobId, life, at).then(isAwake, isAwake);
      }
      await sleep(20);
    }
  })();
  return {
    asleep: () => asleep,
    async stop() {
      isOver = true;
      await watching;
    },
  };
}

/** Says that the sleeping run did nothing, which is true, and waits until another process is in the middle of the next. */
async function untilRunAgain(testbed: Testbed, key: string, life: string): Promise<void> {
  await until(async () => (await statesOf(testbed)).get(key)?.state === "in-doubt", { withinMs: 30_000 });
  await resolveListed(testbed, (doubt) => doubt === key);
  const isBegun = () =>
    testbed.trace
      .read()
      .some((step) => step.jobId === key && step.life !== life && step.event === "effect:begun");
  await until(isBegun, { withinMs: 30_000, everyMs: 10 });
}

/** Waits until the run that slept has begun its effect, or has ended, and lets the next one act. */
async function untilUp(testbed: Testbed, key: string, life: string): Promise<void> {
  const isUp = () => {
    const steps = testbed.trace.read().filter((step) => step.jobId === key && step.life === life);
    const wentOn = steps.slice(steps.findIndex(({ event }) => event === "injected"));
    return wentOn.some(({ event }) => ["effect:begun", "ended"].includes(event));
  };
  await until(isUp, { withinMs: 30_000, everyMs: 10 });
  writeFileSync(join(testbed.directory, "injected", `up-${key}`), "");
}

function numbered(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

/** In doubt, and done, by what happened to whoever was first. */
function perFault(keys: readonly GuardedKey[]): Table {
  const names = ["kill", "stop", "store"].flatMap((how) => points.map((at) => `${how}@${at}`));
  const rows = [...names, "-"].map((fault) => {
    const own = keys.filter((key) => key.fault === fault);
    const of = (kind: keyof Counts) => own.filter(({ kinds }) => kinds.includes(kind)).length;
    return [
      fault === "-" ? "none of its own" : fault,
      own.length,
      own.filter(({ acts }) => acts > 1).length,
      own.filter(({ state }) => state === "done").length,
      of("doubtDone"),
      of("doubtNotDone"),
    ];
  });
  return { head: ["fault", "keys", "acted twice", "done", "in doubt, was done", "in doubt, was not"], rows };
}

async function runControls(context: Context): Promise<Control[]> {
  const at = (point: InjectionPoint): PlannedKey => ({ inject: { at: point, how: "kill" } });
  const repeats = ({ counts }: Storm) => (counts.repeated > 0 ? [`${counts.repeated} effects repeated`] : []);
  const open = ({ counts }: Storm) =>
    counts.notEnded > 0 ? [`${counts.notEnded} keys stayed reserved`] : [];
  const isRepeated = (testbed: Testbed) => repeatedIn(testbed.witnessed()).length > 0;
  const control = async (
    keys: readonly PlannedKey[],
    caught: (storm: Storm) => string[],
    { timeoutMs = TIMEOUT_MS, ...removed }: Removed & { readonly timeoutMs?: number },
  ) => {
    const name = keys[0] === slept ? SLEPT : "killed-";
    const plan = {
      timeoutMs,
      keys: Object.fromEntries(keys.map((key, index) => [`${name}${index}`, key])),
    };
    const seen = await storm({ ...context, say: () => {} }, plan, CONTROL_SIZE, removed);
    return controlOf(removed.mutation.name, caught(seen));
  };
  return await Promise.all([
    control([at("effect:recorded"), at("commit:before")], repeats, {
      mutation: withoutGuardedDoubt,
      isSeen: isRepeated,
      withinMs: SETTLES_WITHIN_MS,
    }),
    control([at("effect:begun"), at("effect:recorded")], open, {
      mutation: withoutGuardedDeadline,
      withinMs: STAYS_FOR_MS,
    }),
    // The second run waits for the first one to wake, however busy the machine is.
    control([slept], repeats, {
      mutation: withoutReservationId,
      isSeen: isRepeated,
      withinMs: SETTLES_WITHIN_MS,
      timeoutMs: 8_000,
    }),
  ]);
}

const CONTROL_SIZE = { guards: 3, pythons: 0 };

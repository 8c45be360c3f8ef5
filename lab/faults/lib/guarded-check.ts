import { groupBy } from "../../lib/group-by.ts";
import { until } from "../../lib/waiting.ts";
import { type Counts, injectionsIn } from "./checker.ts";
import { resolvePatiently } from "./doubt-check.ts";
import { patiently } from "./inside/patiently.ts";
import type { Outage } from "./outages.ts";
import type { Death } from "./role.ts";
import type { Testbed } from "./testbed.ts";
import type { Step } from "./trace-reader.ts";
import { withOperator } from "./with-operator.ts";
import type { WitnessedEffect } from "./witness.ts";

export interface FinalState {
  readonly id: string;
  readonly state: "reserved" | "done" | "in-doubt";
}

/** What the ledgers say of each key. */
export async function statesOf(testbed: Testbed): Promise<ReadonlyMap<string, FinalState>> {
  const effects = await withOperator(testbed, (operator) =>
    patiently(() => operator.guardedEffects({ limit: 1_000 })),
  );
  return new Map(effects.map(({ idempotencyKey, id, state }) => [idempotencyKey ?? "", { id, state }]));
}

export interface GuardedKey {
  /** What happened to whoever was first: `kill@commit:before`; `-` for nothing. */
  readonly fault: string;
  readonly state: FinalState["state"] | undefined;
  readonly acts: number;
  readonly kinds: readonly (keyof Counts)[];
  readonly isFinding: boolean;
  readonly history: string;
}

interface Seen {
  readonly key: string;
  readonly steps: readonly Step[];
  readonly acts: readonly WitnessedEffect[];
  readonly state: FinalState["state"] | undefined;
}

interface Known {
  readonly timeoutMs: number;
  readonly deaths: readonly Death[];
  readonly outages: readonly Outage[];
  readonly apiDeaths: readonly number[];
}

/** What a fault may cause. */
const ordinary: ReadonlySet<keyof Counts> = new Set(["doubtDone", "doubtNotDone", "refused"]);

/** @param wasResolved whether a doubt of it was resolved meanwhile, so that it may be done */
export function judgeKey(
  seen: Seen,
  known: Known,
  { wasResolved }: { readonly wasResolved: boolean },
): GuardedKey {
  const { key, steps, acts, state } = seen;
  const fault = injectionsIn(steps)[0]?.detail ?? "-";
  const kinds: (keyof Counts)[] = [];
  const fences = new Set(acts.map(({ fence }) => `done:${fence}`));
  const told = steps.filter(({ event, detail }) => event === "ended" && detail.startsWith("done:"));
  if (state === undefined || state === "reserved") kinds.push("notEnded");
  if ((state === "done" && acts.length === 0) || told.some(({ detail }) => !fences.has(detail)))
    kinds.push("falselyDone");
  if (state === "in-doubt") kinds.push(acts.length > 0 ? "doubtDone" : "doubtNotDone");
  if (state === "in-doubt" && !callsOf(steps).some((call) => mayBeInDoubt(call, known)))
    kinds.push("unexplained");
  if (state === "done" && !wasResolved && mustBeInDoubt(steps)) kinds.push("concealed");
  const isFinding = kinds.some((kind) => !ordinary.has(kind)) || acts.length > 1;
  const history = `${key} (${state}, ${acts.length} acts): ${steps
    .map(({ life, event, detail }) => `${life} ${event} ${detail}`)
    .slice(0, 40)
    .join(", ")}`;
  return { fault, state, acts: acts.length, kinds, isFinding, history };
}

/** One call of a key by one process: from before its reservation to what its caller got. */
interface GuardCall {
  readonly life: string;
  readonly from: number;
  /** Infinity where the process never got so far. */
  readonly to: number;
}

/** A process has one call of a key at a time. */
function callsOf(steps: readonly Step[]): GuardCall[] {
  return [...groupBy([...steps], ({ life }) => life)].flatMap(([life, own]) => {
    const calls: GuardCall[] = [];
    let from: number | undefined;
    for (const { event, at } of own) {
      if (event === "reserve:before") from ??= at;
      if (event !== "ended" || from === undefined) continue;
      calls.push({ life, from, to: at });
      from = undefined;
    }
    return from === undefined ? calls : [...calls, { life, from, to: Number.POSITIVE_INFINITY }];
  });
}

/** Its process died or was paused, it took too long, or Redis or the API was away. */
function mayBeInDoubt(
  { life, from, to }: GuardCall,
  { timeoutMs, deaths, outages, apiDeaths }: Known,
): boolean {
  const diedIn = to === Number.POSITIVE_INFINITY && deaths.some((death) => death.life === life);
  const isOverTime = to !== Number.POSITIVE_INFINITY && to - from >= timeoutMs;
  const hadOutage = outages.some((outage) => outage.from <= to && from <= outage.to);
  const hadNoApi = life.startsWith("python") && apiDeaths.some((at) => from <= at && at <= to);
  return diedIn || isOverTime || hadOutage || hadNoApi;
}

const inside: ReadonlySet<string> = new Set([
  "reserve:after",
  "effect:begun",
  "effect:recorded",
  "commit:before",
]);

/** Whoever was killed inside never reported. Whoever was paused there may have reported before others looked, and lost the reply. */
function mustBeInDoubt(steps: readonly Step[]): boolean {
  return injectionsIn(steps).some(({ detail, life }) => {
    const [how, at = ""] = detail.split("@");
    const mayHaveReported = steps.some((step) => step.life === life && step.event === "commit:before");
    if (how === "kill") return inside.has(at);
    return how === "stop" && inside.has(at) && at !== "reserve:after" && !mayHaveReported;
  });
}

/**
 * Resolves doubts as the witness knows them. Then each key is done once. A key that was in doubt before its own fault meets that when it
 * goes on, and is in doubt again.
 *
 * @param keys that must be done in the end
 * @param withinMs in milliseconds: each fault that is still to come takes its process away
 * @returns a sentence for each thing that is stuck
 */
export async function resolveAll(
  testbed: Testbed,
  keys: readonly string[],
  withinMs: number,
): Promise<string[]> {
  const unlisted = await unlistedOf(testbed, keys);
  let left: string[] = [];
  const isOver = async () => {
    await resolveListed(testbed);
    const now = await statesOf(testbed);
    left = keys.filter((key) => now.get(key)?.state !== "done");
    return left.length === 0;
  };
  await until(isOver, { withinMs, everyMs: 100 });
  const acted = new Set(testbed.witnessed().map(({ job }) => job));
  return [
    ...unlisted.map((key) => `${key} is in doubt, and not listed`),
    ...left.map((key) => `${key} was resolved, and is not done`),
    ...keys.filter((key) => !acted.has(key)).map((key) => `${key} is done, and never acted`),
  ];
}

async function unlistedOf(testbed: Testbed, keys: readonly string[]): Promise<string[]> {
  const states = await statesOf(testbed);
  const listed = await withOperator(testbed, (operator) => patiently(() => operator.doubts(0, 1_000)));
  const known = new Set(listed.map(({ idempotencyKey }) => idempotencyKey));
  return keys.filter((key) => states.get(key)?.state === "in-doubt" && !known.has(key));
}

/** Whether a run has begun, and is neither over nor dead: "not done" would be said too early. One that has not begun never does. */
function mayStillAct({ trace, deaths }: Testbed, key: string): boolean {
  const steps = trace.read().filter(({ jobId }) => jobId === key);
  return [...groupBy(steps, ({ life }) => life)].some(([life, own]) => {
    const count = (name: string) => own.filter(({ event }) => event === name).length;
    const isUnderWay = count("effect:begun") > count("effect:over");
    return isUnderWay && !deaths.some((death) => death.life === life);
  });
}

/** Resolves those doubts that are listed now, and of which the witness knows the truth. */
export async function resolveListed(
  testbed: Testbed,
  isChosen: (key: string) => boolean = () => true,
): Promise<void> {
  await withOperator(testbed, async (operator) => {
    const listed = await patiently(() => operator.doubts(0, 1_000));
    for (const { jobId, effect, idempotencyKey } of listed) {
      const key = idempotencyKey ?? "";
      if (!isChosen(key) || mayStillAct(testbed, key)) continue;
      const hasActed = testbed.witnessed().some(({ job }) => job === key);
      await resolvePatiently(operator, jobId, effect, hasActed ? "done" : "not-done").catch(unlessResolved);
    }
  });
}

/** Whoever wakes a slept run may have been first. A doubt that is stuck is listed again, and its key never done. */
function unlessResolved(error: { readonly code?: string }): void {
  if (error.code !== "EFFECT_NOT_IN_DOUBT") throw error;
}

import { setTimeout as sleep } from "node:timers/promises";
import { inLanes, until } from "../../lib/waiting.ts";
import { noCounts } from "../lib/checker.ts";
import { type Context, type Control, controlOf, type Experiment, untilCaught } from "../lib/experiment.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutAtomicReplacement } from "../lib/mutations.ts";
import type { Role } from "../lib/role.ts";
import { type Testbed, withTestbed } from "../lib/testbed.ts";

export const debounce: Experiment = {
  number: 42,
  title: "Only the latest of several submissions",
  fault:
    "SIGKILL of producers, workers and Redis at random, while three producers submit for many debounce keys at once, about as often as " +
    "their windows end",
  mustHold:
    "each window has one job, which runs the latest of its submissions and none before it; each key answers with its job, and which key replaced it",
  async run(context) {
    const seen = await runDebounced(context, context.isQuick ? quick : full);
    context.say("control");
    const { submissions, windows, deaths, broken } = seen;
    return {
      counts: { ...noCounts, acknowledged: submissions, lost: seen.lost, faults: deaths },
      table: {
        head: ["submissions", "windows", "wrong runs", "wrong answers", "not ended", "kills"],
        rows: [[submissions, windows, seen.wrongRuns, seen.wrongAnswers, seen.lost, deaths]],
      },
      measured: [`${submissions - windows} submissions were replaced`],
      broken,
      controls: [await control(context)],
    };
  },
};

interface Size {
  readonly documents: number;
  /** Of each document. */
  readonly versions: number;
  readonly kills: number;
  /** Milliseconds between two kills. */
  readonly everyMs: number;
}

const quick: Size = { documents: 20, versions: 8, kills: 3, everyMs: 1_000 };
const full: Size = { documents: 100, versions: 50, kills: 30, everyMs: 1_500 };
/** Nobody is killed. */
const controlled: Size = { documents: 30, versions: 20, kills: 0, everyMs: 0 };
const CONTROL_TRIES = 5;

/** Of a window, in milliseconds. The next submission comes about when it ends. */
const WINDOW_MS = 20;
const PAUSE_MS = [0, 60] as const;
const ENDS_WITHIN_MS = 120_000;
const GIVE_UP_MS = 60_000;
const RETRY_MS = 100;
const ANSWER_MS = 5_000;
const LANES = 32;

/** A submission with its answer. */
interface Answered {
  readonly document: string;
  readonly version: number;
  readonly id: string;
}

interface Seen {
  readonly submissions: number;
  readonly windows: number;
  readonly deaths: number;
  readonly lost: number;
  readonly wrongRuns: number;
  readonly wrongAnswers: number;
  readonly broken: readonly string[];
}

async function runDebounced(context: Context, size: Size, mutation?: Mutation): Promise<Seen> {
  return await withTestbed({ workers: 2, api: true, ...(mutation && { mutation }) }, async (testbed) => {
    const producers = [
      ...(testbed.api === undefined ? [] : [testbed.api]),
      testbed.startRole("api", "api2"),
      testbed.startRole("api", "api3"),
    ];
    const submitting = submitAll(context, size, producers);
    await killSome(context, size, testbed, producers);
    const answered = await submitting;
    const windows = windowsOf(answered);
    const lost = await countUnended(testbed, [...windows.keys()]);
    const runs = wrongRuns(testbed, windows);
    const answers = await wrongAnswers(answered, windows, producers, context);
    const counted = (count: number, what: string) => (count > 0 ? [`${count} ${what}`] : []);
    return {
      submissions: answered.length,
      windows: windows.size,
      deaths: testbed.deaths.length + testbed.outages.all.length,
      lost,
      wrongRuns: runs,
      wrongAnswers: answers,
      broken: [
        ...counted(lost, "windows have no completed job"),
        ...counted(runs, "windows did not run their latest submission alone"),
        ...counted(answers, "keys were answered wrongly"),
      ],
    };
  });
}

/** The versions of a document one after another, each by any producer; the documents side by side. */
async function submitAll(
  { random }: Context,
  { documents, versions }: Size,
  producers: readonly Role[],
): Promise<Answered[]> {
  const answered: Answered[] = [];
  const names = Array.from({ length: documents }, (_, index) => `document-${index}`);
  await inLanes(names, names.length, async (document) => {
    for (let version = 0; version < versions; version += 1) {
      const answer = await untilAnswered(() => random.pick(producers), document, version);
      if (answer.status === 422) throw new Error(`${document}/${version} was refused`);
      answered.push({ document, version, id: answer.id });
      await sleep(random.between(...PAUSE_MS));
    }
  });
  return answered;
}

async function killSome(
  { random }: Context,
  { kills, everyMs }: Size,
  testbed: Testbed,
  producers: readonly Role[],
): Promise<void> {
  for (let kill = 0; kill < kills; kill += 1) {
    await sleep(everyMs);
    const victim = random.pick(["producer", "worker", "Redis"] as const);
    if (victim === "Redis") await testbed.outages.kill(random.between(0, 300));
    else random.pick(victim === "worker" ? testbed.workers : producers).signal("SIGKILL");
  }
}

interface Answer {
  readonly status: number;
  readonly id: string;
  readonly duplicate?: boolean;
  readonly replacedBy?: string;
}

/** Sends again until the outcome is known, as a client should. */
async function untilAnswered(
  pick: () => Role,
  document: string,
  version: number,
  ms = WINDOW_MS,
): Promise<Answer> {
  const idempotencyKey = keyOf({ document, version });
  const options = { debounce: { key: document, ms } };
  const body = JSON.stringify({ type: "indexed", payload: { document, version }, idempotencyKey, options });
  const answer = await until(
    async () => {
      const { url } = await pick().ready();
      return await postJob(`${url}/jobs`, body).catch(() => undefined);
    },
    { withinMs: GIVE_UP_MS, everyMs: RETRY_MS },
  );
  if (answer === undefined) throw new Error(`No answer for ${idempotencyKey}`);
  return answer;
}

async function postJob(url: string, body: string): Promise<Answer | undefined> {
  const headers = { "Content-Type": "application/json" };
  const signal = AbortSignal.timeout(ANSWER_MS);
  const response = await fetch(url, { method: "POST", headers, body, signal });
  const answer = (await response.json()) as Omit<Answer, "status">;
  return response.ok || response.status === 422 ? { ...answer, status: response.status } : undefined;
}

function keyOf({ document, version }: Pick<Answered, "document" | "version">): string {
  return `${document}/${version}`;
}

/** The latest submission of each job. */
function windowsOf(answered: readonly Answered[]): Map<string, Answered> {
  const windows = new Map<string, Answered>();
  for (const each of answered) {
    const known = windows.get(each.id);
    if (known === undefined || known.version < each.version) windows.set(each.id, each);
  }
  return windows;
}

/** How many jobs have not completed in time. */
async function countUnended({ client }: Testbed, ids: readonly string[]): Promise<number> {
  const open = new Set(ids);
  const look = async () => {
    await inLanes([...open], LANES, async (id) => {
      if ((await client.status(id))?.state === "completed") open.delete(id);
    });
    return open.size === 0;
  };
  await until(look, { withinMs: ENDS_WITHIN_MS, everyMs: 200 });
  return open.size;
}

/** How many jobs ran anything but the latest submission of their window, jobs that nobody knows included. A killed worker's job runs again. */
function wrongRuns(testbed: Testbed, windows: ReadonlyMap<string, Answered>): number {
  const ran = new Map<string, Set<string>>();
  for (const { key, job } of testbed.witnessed()) {
    const [id = "", version = ""] = key.split("/");
    ran.set(id, (ran.get(id) ?? new Set()).add(`${job}/${version}`));
  }
  const ids = new Set([...windows.keys(), ...ran.keys()]);
  return [...ids].filter((id) => {
    const latest = windows.get(id);
    return latest === undefined || [...(ran.get(id) ?? [])].join() !== keyOf(latest);
  }).length;
}

/** Sends everything again, and once more with other content. */
async function wrongAnswers(
  answered: readonly Answered[],
  windows: ReadonlyMap<string, Answered>,
  producers: readonly Role[],
  { random }: Context,
): Promise<number> {
  let wrong = 0;
  await inLanes(answered, LANES, async ({ document, version, id }) => {
    const pick = () => random.pick(producers);
    const again = await untilAnswered(pick, document, version);
    const other = await untilAnswered(pick, document, version, WINDOW_MS + 1);
    const latest = windows.get(id);
    const replacer = latest === undefined || latest.version === version ? undefined : keyOf(latest);
    const isRight = again.id === id && again.duplicate === true && again.replacedBy === replacer;
    if (!isRight || other.status !== 422) wrong += 1;
  });
  return wrong;
}

async function control(context: Context): Promise<Control> {
  return await untilCaught(CONTROL_TRIES, async () => {
    const { broken } = await runDebounced(context, controlled, withoutAtomicReplacement);
    return controlOf(withoutAtomicReplacement.name, broken);
  });
}

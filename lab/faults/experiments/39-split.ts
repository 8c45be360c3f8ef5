import { setTimeout as sleep } from "node:timers/promises";
import { type SentinelSet, startSentinelSet } from "../../../test/support/redis-sentinel.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { actJob } from "../lib/act-jobs.ts";
import { check, type Verdict } from "../lib/checker.ts";
import { librarySubmitter, type Submitter } from "../lib/client.ts";
import { brokenBy, type Context, controlOf, type Experiment, sum } from "../lib/experiment.ts";
import type { ActPayload } from "../lib/inside/contracts.ts";
import { patiently } from "../lib/inside/patiently.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutWait } from "../lib/mutations.ts";
import { settled, untilPromoted } from "../lib/sentinel-roles.ts";
import { createSplitNetwork, LEFT, type SplitNetwork } from "../lib/split-network.ts";
import { type Testbed, withTestbed } from "../lib/testbed.ts";
import { withOperator } from "../lib/with-operator.ts";

export const split: Experiment = {
  number: 39,
  title: "The network splits",
  fault:
    "under load: a Sentinel set's master and some of the processes on the one side, its replicas, the sentinels and the other processes on the " +
    "other, until one is promoted and for a while longer; nothing is closed, and what was sent meanwhile arrives in the end",
  mustHold:
    "with the durability that is the default there, min-replicas-to-write 1 and a lag of 10 s: no acknowledged job lost, no effect repeated, " +
    "no doubt stuck",
  async run(context) {
    const [trials, control] = await Promise.all([
      inSet((place) => inTurn(context, place)),
      inSet((place) =>
        splitTrial(context, place, { ...byDefault, times: CONTROL_TIMES, mutation: withoutWait }),
      ),
    ]);
    const promised = trials.filter(({ name }) => name === byDefault.name);
    const { lost, repeated, acknowledged } = control.verdict.counts;
    return {
      counts: sum(promised.map(({ verdict }) => verdict.counts)),
      table: {
        head: [
          "durability",
          "splits",
          "acknowledged",
          "by the left, cut off",
          "lost",
          "repeated",
          "noticed",
          "after ms",
        ],
        rows: trials.map(rowOf),
      },
      measured: [
        "`disk-despite-failover` is measured, and not promised; noticed: the splits after which somebody refused to go on; after ms: since the " +
          "left had sent its first command to the new master",
      ],
      broken: promised.flatMap(({ verdict }) => brokenBy(verdict)),
      controls: [
        controlOf(
          withoutWait.name,
          lost + repeated === 0 ? [] : [`${lost} of ${acknowledged} jobs lost, ${repeated} effects repeated`],
        ),
      ],
    };
  },
};

interface Kind {
  readonly name: string;
  /** Undefined where none is configured. */
  readonly durability: string | undefined;
  readonly times: number;
  /** Whether the left has no worker, submits little, and is cut off for longer. @default false */
  readonly isLeftQuiet?: boolean;
  readonly mutation?: Mutation;
}

const byDefault = { name: "default", durability: undefined };
const despite = { name: "disk-despite-failover", durability: "disk-despite-failover" };
const quiet = { ...despite, name: "disk-despite-failover, few writes on the left", isLeftQuiet: true };

interface Trial {
  readonly name: string;
  readonly verdict: Verdict;
  readonly splits: readonly Split[];
}

/** What happened around one split. */
interface Split {
  /** Jobs that the side without the sentinels acknowledged while it was cut off. */
  readonly acknowledged: number;
  /** From its first command to the new master until somebody refused to go on; undefined where nobody did. */
  readonly noticedMs: number | undefined;
}

function rowOf({ name, verdict: { counts }, splits }: Trial) {
  const noticed = splits.flatMap(({ noticedMs }) => (noticedMs === undefined ? [] : [noticedMs]));
  const cutOff = splits.reduce((total, { acknowledged }) => total + acknowledged, 0);
  const { acknowledged, lost, repeated } = counts;
  return [
    name,
    splits.length,
    acknowledged,
    cutOff,
    lost,
    repeated,
    noticed.length,
    noticed.join(", ") || "-",
  ];
}

interface Place {
  readonly set: SentinelSet;
  readonly network: SplitNetwork;
}

const GUARD = ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "10"];

/** A master and two replicas, so that the side with the sentinels can go on. */
async function inSet<T>(use: (place: Place) => Promise<T>): Promise<T> {
  const network = createSplitNetwork();
  const { name, rights } = LEFT;
  const user = ["user", name, ...rights];
  try {
    const set = await startSentinelSet({
      args: [...GUARD, "--user", name, ...rights],
      sentinelLines: [user.join(" ")],
      launch: network.launch,
    });
    try {
      return await use({ set, network });
    } finally {
      await set.stop();
    }
  } finally {
    await network.stop();
  }
}

async function inTurn(context: Context, place: Place): Promise<Trial[]> {
  const kinds = context.isQuick
    ? [{ ...byDefault, times: 1 }]
    : [
        { ...byDefault, times: 10 },
        { ...despite, times: 3 },
        { ...quiet, times: 2 },
      ];
  const trials: Trial[] = [];
  for (const kind of kinds) trials.push(await splitTrial(context, place, kind));
  return trials;
}

/** Longer than a failover takes. */
const LOCK = { HOLDFAST_LOCK_MS: "8000" };
const ENDED_WITHIN_MS = 120_000;
const CONTROL_ENDED_WITHIN_MS = 2_000;
/** A single split has once lost nothing, on a busy machine. */
const CONTROL_TIMES = 2;
const QUIET_MS = 8_000;

async function splitTrial(context: Context, place: Place, kind: Kind): Promise<Trial> {
  const { name, durability, times, isLeftQuiet = false, mutation } = kind;
  const prefix = `${name} ${mutation?.name ?? ""}`.replaceAll(/\W+/g, "-");
  const env = { ...LOCK, ...(durability && { HOLDFAST_DURABILITY: durability }), HOLDFAST_PREFIX: prefix };
  const options = { workers: 1, concurrency: 6, servers: place.set, env, ...(mutation && { mutation }) };
  return await withTestbed(options, async (testbed) => {
    const left = { REDIS_URL: leftUrl(place.set) };
    if (!isLeftQuiet) await testbed.startRole("worker", "left", left).ready();
    const load = await startLoad(testbed, context, { left, isLeftQuiet });
    const splits: Split[] = [];
    await place.set.watchMaster();
    // To the end of the load: where a processor is missing, sentinels promote once more after a split, and what no replica had is lost
    // again. From then on the sentinels keep their master.
    await testbed.outages.during(async () => {
      try {
        for (let time = 1; time <= times; time += 1) {
          context.say(`${name}${mutation ? ` without ${mutation.name}` : ""}, split ${time} of ${times}`);
          const lastsMs = isLeftQuiet ? QUIET_MS : context.random.between(1_500, 4_000);
          splits.push(await splitOnce(testbed, place, load, lastsMs));
        }
      } finally {
        await load.end();
      }
      await place.set.keepMaster();
      await settled(place.set);
    });
    const verdict = await check(testbed, mutation ? CONTROL_ENDED_WITHIN_MS : ENDED_WITHIN_MS);
    verdict.counts.faults = times;
    return { name, verdict, splits };
  });
}

function leftUrl({ url }: SentinelSet): string {
  const { name, password } = LEFT;
  const signedIn = url.replace("//", `//${name}:${password}@`);
  return `${signedIn}?sentinelUsername=${name}&sentinelPassword=${password}`;
}

/** Jobs that both sides have when they are cut off from each other. */
const BACKLOG = 80;
const BACKLOG_LANES = 20;
/** What the side that was cut off acknowledges after that, it does although it has met the new master. */
const RESUMED = 20;
/** A busy machine takes long. */
const RESUMES_WITHIN_MS = 180_000;

/** @param lastsMs for how long the network is split after a replica was promoted */
async function splitOnce(testbed: Testbed, place: Place, load: Load, lastsMs: number): Promise<Split> {
  const { set, network } = place;
  const master = await settled(set);
  await submitBacklog(testbed);
  const splitAt = Date.now();
  network.split(master);
  await untilPromoted(set, master);
  await sleep(lastsMs);
  const healedAt = Date.now();
  const acknowledged = load.acknowledged(splitAt).length;
  network.heal();
  const promoted = await settled(set);
  const resumedAt = Date.now();
  const look = () => load.refused(healedAt).length > 0 || load.acknowledged(resumedAt).length >= RESUMED;
  if ((await until(look, { withinMs: RESUMES_WITHIN_MS })) === undefined)
    throw new Error(`Nothing was accepted or refused within ${RESUMES_WITHIN_MS} ms after a split`);
  const [refusedAt] = load.refused(healedAt);
  if (refusedAt === undefined) return { acknowledged, noticedMs: undefined };
  await goOn(testbed, load);
  return { acknowledged, noticedMs: refusedAt - (network.leftMet(promoted, healedAt) ?? refusedAt) };
}

async function submitBacklog({ client }: Testbed): Promise<void> {
  const from = client.acknowledged.length;
  const jobs = Array.from({ length: BACKLOG }, (_, index) => ({
    type: "act" as const,
    idempotencyKey: `backlog-${from}-${index}`,
    payload: { beforeMs: 100, afterMs: 100 } satisfies ActPayload,
  }));
  await inLanes(jobs, BACKLOG_LANES, async (job) => void (await client.submit(job)));
}

const ACCEPT_EVERY_MS = 1_000;

/** A person accepts the loss, and each that follows: sentinels of a busy machine promote once more. */
async function goOn(testbed: Testbed, load: Load): Promise<void> {
  const evidence = { evidence: "laboratory", by: "laboratory" };
  await withOperator(testbed, async (operator) => {
    const accept = () => patiently(() => operator.acceptLoss(evidence));
    await accept();
    const acceptedAt = Date.now();
    const hasResumed = async () => {
      if (load.acknowledged(acceptedAt).length >= RESUMED) return true;
      await accept();
      return false;
    };
    const bound = { withinMs: RESUMES_WITHIN_MS, everyMs: ACCEPT_EVERY_MS };
    if ((await until(hasResumed, bound)) === undefined)
      throw new Error("Nothing was accepted after the loss was");
  });
}

/** Clients on both sides. */
interface Load {
  /** When the left was acknowledged something, since an instant. */
  acknowledged(since: number): readonly number[];
  /** When anybody was answered that data is lost, since an instant. */
  refused(since: number): readonly number[];
  end(): Promise<void>;
}

const LANES = 6;
const PAUSE_MS = 60;
/** One key of so many is sent by both sides. */
const SHARED = 4;
const SHARED_MS = 100;

/** What the other side sends at the same time. */
function sharedKey(): string {
  return `both-${Math.floor(Date.now() / SHARED_MS)}`;
}

interface LoadOptions {
  /** The environment of the left's clients. */
  readonly left: NodeJS.ProcessEnv;
  readonly isLeftQuiet: boolean;
}

async function startLoad(
  testbed: Testbed,
  { random }: Context,
  { left, isLeftQuiet }: LoadOptions,
): Promise<Load> {
  const library = await testbed.installation.library();
  const open = (env: NodeJS.ProcessEnv) =>
    library.createProducer(library.application, { ...testbed.env, ...env });
  const producers = await Promise.all([open(left), open({})]);
  const refused: number[] = [];
  const acknowledged: number[] = [];
  let isOver = false;
  const submitters = producers.map((producer): Submitter => {
    const submit = librarySubmitter(producer, library);
    return async (submission) => {
      if (isOver) throw Object.assign(new Error("The load has ended"), { retryable: false });
      try {
        return await submit(submission);
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "STORE_ROLLED_BACK")
          refused.push(Date.now());
        throw error;
      }
    };
  });
  const lanes = ["left", "right"].map((side, index) => {
    const submitter = submitters[index] as Submitter;
    const keys = (function* () {
      for (let turn = 0; !isOver; turn += 1) yield turn % SHARED === 0 ? sharedKey() : `${side}-${turn}`;
    })();
    return inLanes(keys, side === "left" && isLeftQuiet ? 1 : LANES, async (key) => {
      const seen = await testbed.client
        .submit(actJob(key, random.fork(key)), submitter)
        .catch(() => undefined);
      if (seen !== undefined && side === "left") acknowledged.push(seen.triedAt);
      await sleep(PAUSE_MS);
    });
  });
  return {
    acknowledged: (since) => acknowledged.filter((at) => at > since),
    refused: (since) => refused.filter((at) => at > since),
    async end() {
      isOver = true;
      await Promise.all(lanes);
      await Promise.all(producers.map((producer) => producer.stop()));
    },
  };
}

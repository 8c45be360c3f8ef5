import { spawn } from "node:child_process";
import { once as event } from "node:events";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import type { Producer } from "holdfast";
import type { Random } from "../../../test/support/random.ts";
import { inLanes } from "../../lib/waiting.ts";
import { check, noCounts, type Verdict } from "../lib/checker.ts";
import { librarySubmitter, type Submission, type Submitter } from "../lib/client.ts";
import {
  brokenBy,
  type Context,
  type Control,
  controlOf,
  type Experiment,
  sum,
  untilCaught,
} from "../lib/experiment.ts";
import type { CardsPayload } from "../lib/inside/contracts.ts";
import { patiently } from "../lib/inside/patiently.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutKeysInUse } from "../lib/mutations.ts";
import { neutralEnvironment } from "../lib/processes.ts";
import type { Role } from "../lib/role.ts";
import { type Testbed, withTestbed } from "../lib/testbed.ts";

export const encryption: Experiment = {
  number: 36,
  title: "Encryption is turned on, rotated and turned off",
  fault:
    "rolling deploys in the documented order, old and new version beside each other under load, workers killed at random and inside effects; " +
    "and each two versions beside each other",
  mustHold:
    "one job for each key, one effect for each card, every job readable by each version; versions that must not run beside each other do not",
  async run(context) {
    const versions = versionsOf(context.random.fork("keys"));
    const [rolled, paired, control] = await Promise.all([
      roll({ ...context, random: context.random.fork("roll") }, versions),
      pairUp({ ...context, random: context.random.fork("pairs") }, versions),
      keysControl(context, versions),
    ]);
    const seen = [rolled, ...paired.together];
    return {
      counts: sum([
        ...seen.map(({ verdict }) => verdict.counts),
        { ...noCounts, faults: paired.apart.length },
      ]),
      table: {
        head: ["", "jobs", "deaths", "effects repeated", "unreadable", "keys with two ids"],
        rows: [
          rowOf("rolling deploys", [rolled]),
          rowOf(`${paired.together.length} pairs that may meet`, paired.together),
        ],
      },
      measured: [
        `${paired.apart.length} pairs must not meet: the second version did not start, and the first went on`,
      ],
      broken: [...seen.flatMap(({ broken }) => broken), ...paired.apart.flat()],
      controls: [control],
    };
  },
};

/** What a version of the deployment has as `HOLDFAST_ENCRYPTION_KEYS`. */
interface Version {
  readonly name: string;
  readonly keys: string;
}

/** In the order in which they are deployed. */
function versionsOf(random: Random): readonly Version[] {
  const newKey = (id: string) =>
    `${id}:${Buffer.from(Array.from({ length: 32 }, () => random.between(0, 255))).toString("base64")}`;
  const [first, second] = [newKey("first"), newKey("second")];
  return [
    { name: "none", keys: "" },
    { name: "plain, first", keys: `plain,${first}` },
    { name: "first", keys: first },
    { name: "first, second", keys: `${first},${second}` },
    { name: "second, first", keys: `${second},${first}` },
    { name: "plain, second, first", keys: `plain,${second},${first}` },
  ];
}

/** Whether each has what the other encrypts with. */
function mayMeet(one: Version, other: Version): boolean {
  const encryptsWith = ({ keys }: Version) => keys.split(",")[0] ?? "";
  const has = ({ keys }: Version, entry: string) =>
    ["", "plain"].includes(entry) || keys.split(",").includes(entry);
  return has(one, encryptsWith(other)) && has(other, encryptsWith(one));
}

interface Deployed {
  readonly workers: readonly Role[];
  readonly producer: Producer;
}

/** What became of the jobs. */
interface Seen {
  readonly verdict: Verdict;
  readonly deaths: number;
  readonly unreadable: number;
  readonly twice: number;
  readonly broken: readonly string[];
}

function rowOf(name: string, seen: readonly Seen[]) {
  const total = (count: (one: Seen) => number) => seen.reduce((all, one) => all + count(one), 0);
  return [
    name,
    total(({ verdict }) => verdict.counts.acknowledged),
    total(({ deaths }) => deaths),
    total(({ verdict }) => verdict.counts.repeated),
    total(({ unreadable }) => unreadable),
    total(({ twice }) => twice),
  ];
}

/** Several versions start at once, on a machine that may be busy. */
const LOCK_MS = 4_000;
/** A machine that is too busy to run all jobs within this shows nothing. */
const ENDED_WITHIN_MS = 120_000;

/** Everything is readable for the laboratory's own client, which encrypts nothing. */
async function withVersions<T>(
  versions: readonly Version[],
  mutation: Mutation | undefined,
  use: (testbed: Testbed) => Promise<T>,
): Promise<T> {
  const env = { HOLDFAST_ENCRYPTION_KEYS: versions.at(-1)?.keys, HOLDFAST_LOCK_MS: String(LOCK_MS) };
  return await withTestbed({ workers: 0, env, concurrency: 8, ...(mutation && { mutation }) }, use);
}

async function deploy(testbed: Testbed, { keys }: Version, name: string, count: number): Promise<Deployed> {
  const env = { HOLDFAST_ENCRYPTION_KEYS: keys };
  const workers = Array.from({ length: count }, (_, index) =>
    testbed.startRole("worker", `${name}-${index + 1}`, env),
  );
  const library = await testbed.installation.library();
  const [producer] = await Promise.all([
    library.createProducer(library.application, { ...testbed.env, ...env }),
    ...workers.map((worker) => worker.ready()),
  ]);
  return { workers, producer };
}

const CARDS = ["4111", "5500", "3400"];

function cardsJob(key: string, random: Random, isKilling: boolean): Submission {
  const at = random.pick([
    "reserve:after",
    "effect:begun",
    "effect:recorded",
    "commit:before",
    "finish:before",
  ] as const);
  const payload: CardsPayload = {
    beforeMs: random.between(0, 10),
    afterMs: random.between(0, 10),
    cards: CARDS,
    ...(isKilling && { inject: { at, how: "kill" } }),
  };
  return { type: "cards", idempotencyKey: key, payload };
}

const LANES = 3;
const PAUSE_MS = 80;

/** Clients that send each key to two processes, and read an earlier job, until it is ended. */
function startLoad(testbed: Testbed, random: Random, injected: number, producers: () => readonly Producer[]) {
  const ids = new Map<string, Set<string>>();
  const unreadable: string[] = [];
  let isOver = false;
  const keys = (function* () {
    for (let index = 0; !isOver; index += 1) yield `job-${index}`;
  })();
  const ended = testbed.installation.library().then((library) =>
    inLanes(keys, LANES, async (key) => {
      const job = cardsJob(key, random, random.next() < injected);
      try {
        for (const submit of [testbed.client.submit, submitAgain]) {
          const producer = random.pick(producers());
          const seen = await submit(job, librarySubmitter(producer, library));
          if (seen !== undefined) ids.set(key, (ids.get(key) ?? new Set()).add(seen.id));
        }
        const [earlier] = random.pick([...ids.values()]);
        const fault = await faultOf(random.pick(producers()), earlier);
        if (fault !== undefined) unreadable.push(`${key}: ${fault}`);
      } catch (error) {
        unreadable.push(`${key}: ${error}`);
      }
      await sleep(PAUSE_MS);
    }),
  );
  return {
    ids,
    unreadable,
    async end() {
      isOver = true;
      await ended;
    },
  };
}

type Submit = Testbed["client"]["submit"];

/** The first submission records the acknowledgement. */
const submitAgain = (async (job, submitter) => {
  const receipt = submitter && (await patiently(() => submitter(job)));
  return (
    receipt && {
      ...receipt,
      key: job.idempotencyKey,
      isDuplicate: true,
      isRecovered: false,
      triedAt: 0,
      at: 0,
    }
  );
}) satisfies Submit;

/** @returns why a version cannot read a job */
async function faultOf(producer: Producer, id = ""): Promise<string | undefined> {
  const status = await patiently(() => producer.status(id));
  if (status === undefined) return `${id} is not there`;
  const isWhole =
    status.state !== "completed" || JSON.stringify(status.result) === JSON.stringify({ cards: CARDS });
  if (status.error?.code === "DECRYPTION_FAILED" || !isWhole)
    return `${id} ${status.state} ${status.error?.code}`;
  return undefined;
}

type Load = ReturnType<typeof startLoad>;

/** @param last those that run at the end */
async function judge(testbed: Testbed, load: Load, last: readonly Deployed[]): Promise<Seen> {
  const workers = last.flatMap((version) => version.workers);
  const verdict = await check({ ...testbed, workers }, ENDED_WITHIN_MS);
  const unreadable = [...load.unreadable];
  for (const { producer } of last) {
    await inLanes(load.ids.values(), LANES, async ([id]) => {
      const fault = await faultOf(producer, id);
      if (fault !== undefined) unreadable.push(fault);
    });
  }
  const twice = [...load.ids.values()].filter(({ size }) => size > 1).length;
  const deaths = testbed.deaths.length;
  verdict.counts.faults = deaths;
  return {
    verdict,
    deaths,
    unreadable: unreadable.length,
    twice,
    broken: [
      ...brokenBy(verdict),
      ...(unreadable.length > 0 ? [`${unreadable.length} jobs were not readable: ${unreadable[0]}`] : []),
      ...(twice > 0 ? [`${twice} keys were answered with two ids`] : []),
    ],
  };
}

interface Size {
  readonly workers: number;
  /** Milliseconds for which two versions run beside each other. */
  readonly bothMs: number;
  /** At random during that time. */
  readonly kills: number;
  /** The share of jobs that kill their worker inside an effect. */
  readonly injected: number;
}

/** A dead worker blocks a key that it lacked for 15 s, so in the short form none is killed before the last deploy. */
const quick: Size = { workers: 1, bothMs: 700, kills: 0, injected: 0 };
const full: Size = { workers: 2, bothMs: 8_000, kills: 3, injected: 0.02 };

const QUICK_VERSIONS = 3;

async function roll(context: Context, versions: readonly Version[]): Promise<Seen> {
  const { random, isQuick } = context;
  const size = isQuick ? quick : full;
  const from = isQuick ? random.between(0, versions.length - QUICK_VERSIONS) : 0;
  return await withVersions(versions, undefined, async (testbed) => {
    const deployed = isQuick ? versions.slice(from, from + QUICK_VERSIONS) : versions;
    const [first, ...others] = deployed as [Version, ...Version[]];
    let running = [await deploy(testbed, first, "v0", size.workers)];
    const load = startLoad(testbed, random, size.injected, () => running.map(({ producer }) => producer));
    for (const [index, version] of others.entries()) {
      context.say(`to ${version.name}, ${load.ids.size} keys`);
      const old = running;
      const next = await deploy(testbed, version, `v${index + 1}`, size.workers);
      running = [...old, next];
      const isLast = index === others.length - 1;
      const kills = isLast ? Math.max(1, size.kills) : size.kills;
      await killSome(random, running, size.bothMs, kills);
      running = [next];
      await retire(old);
    }
    await load.end();
    const seen = await judge(testbed, load, running);
    await stopProducers(running);
    return seen;
  });
}

async function killSome(random: Random, running: readonly Deployed[], forMs: number, kills: number) {
  const workers = running.flatMap((version) => version.workers);
  for (let kill = 0; kill < kills; kill += 1) {
    await sleep(forMs / (kills + 1));
    random.pick(workers).signal("SIGKILL");
  }
  await sleep(forMs / (kills + 1));
}

const CALLS_END_MS = 1_000;

/** As a deploy does: it ends its processes, one after the other. */
async function retire(old: readonly Deployed[]): Promise<void> {
  for (const worker of old.flatMap(({ workers }) => workers)) await worker.stop("SIGTERM");
  await sleep(CALLS_END_MS);
  await stopProducers(old);
}

async function stopProducers(running: readonly Deployed[]): Promise<void> {
  await Promise.all(running.map(({ producer }) => producer.stop()));
}

interface Paired {
  readonly together: Seen[];
  /** Of each pair that must not meet, what was wrong. */
  readonly apart: (readonly string[])[];
}

const PAIRS_AT_ONCE = 3;

function inOrder<T>(random: Random, [one, other]: readonly [T, T]): readonly [T, T] {
  return random.next() < 0.5 ? [one, other] : [other, one];
}

async function pairUp(context: Context, versions: readonly Version[]): Promise<Paired> {
  const { random, isQuick } = context;
  const all = versions.flatMap((one, index) =>
    versions.slice(index + 1).map((other) => [one, other] as const),
  );
  const may = all.filter(([one, other]) => mayMeet(one, other)).map((pair) => inOrder(random, pair));
  const mustNot = all
    .filter(([one, other]) => !mayMeet(one, other))
    .flatMap(([one, other]) => [[one, other] as const, [other, one] as const]);
  const chosen = isQuick ? [random.pick(may), random.pick(mustNot)] : [...may, ...mustNot];
  const paired: Paired = { together: [], apart: [] };
  await inLanes(chosen, PAIRS_AT_ONCE, async ([one, other]) => {
    context.say(`"${one.name}" beside "${other.name}"`);
    const name = `"${one.name}", then "${other.name}"`;
    if (!mayMeet(one, other))
      return void paired.apart.push(await keptApart(random.fork(name), versions, [one, other]));
    const seen = await beside(random.fork(name), versions, [one, other]);
    paired.together.push({ ...seen, broken: seen.broken.map((what) => `${name}: ${what}`) });
  });
  return paired;
}

const BESIDE_MS = 1_500;
const INJECTED = 0.05;

/** One worker is killed, and jobs kill others. */
async function beside(
  random: Random,
  versions: readonly Version[],
  pair: readonly [Version, Version],
): Promise<Seen> {
  return await withVersions(versions, undefined, async (testbed) => {
    const running: Deployed[] = [];
    for (const [index, version] of pair.entries())
      running.push(await deploy(testbed, version, index === 0 ? "one" : "other", 1));
    const load = startLoad(testbed, random, INJECTED, () => running.map(({ producer }) => producer));
    await killSome(random, running, BESIDE_MS, 1);
    await load.end();
    const seen = await judge(testbed, load, running);
    await stopProducers(running);
    return seen;
  });
}

/** Until it has refused to start. */
const REFUSES_WITHIN_MS = 30_000;

/** @returns what is wrong if the second version starts, or the first does not go on */
async function keptApart(
  random: Random,
  versions: readonly Version[],
  [one, other]: readonly [Version, Version],
): Promise<string[]> {
  return await withVersions(versions, undefined, async (testbed) => {
    const running = [await deploy(testbed, one, "one", 1)];
    const child = spawn(process.execPath, [testbed.installation.cli, "worker"], {
      env: { ...neutralEnvironment(), ...testbed.env, HOLDFAST_ENCRYPTION_KEYS: other.keys },
      stdio: ["ignore", "ignore", "pipe"],
      timeout: REFUSES_WITHIN_MS,
    });
    const [said, [code]] = await Promise.all([text(child.stderr), event(child, "exit")]);
    const load = startLoad(testbed, random, 0, () => running.map(({ producer }) => producer));
    await sleep(PAUSE_MS);
    await load.end();
    const { broken } = await judge(testbed, load, running);
    await stopProducers(running);
    const hasRefused = code === 1 && said.includes("The encryption keys do not fit");
    return [
      ...(hasRefused ? [] : [`"${other.name}" started beside "${one.name}", or said: ${said}`]),
      ...broken,
    ];
  });
}

const CONTROL_TRIES = 3;
const CONTROL_JOBS = 6;
const CONTROL_ENDED_WITHIN_MS = 5_000;

/** Two versions that must not meet, and do. */
async function keysControl(context: Context, versions: readonly Version[]): Promise<Control> {
  const [none, , first] = versions as [Version, Version, Version];
  return await untilCaught(CONTROL_TRIES, async (time) => {
    const random = context.random.fork(`control ${time}`);
    return await withVersions(versions, withoutKeysInUse, async (testbed) => {
      const library = await testbed.installation.library();
      const running = [await deploy(testbed, none, "one", 1), await deploy(testbed, first, "other", 1)];
      let refused = 0;
      const keys = Array.from({ length: CONTROL_JOBS }, (_, index) => `job-${index}`);
      await inLanes(keys, LANES, async (key) => {
        const submit = once(librarySubmitter(random.pick(running).producer, library));
        const seen = await testbed.client.submit(cardsJob(key, random, false), submit).catch(() => undefined);
        if (seen === undefined) refused += 1;
      });
      const { counts } = await check(testbed, CONTROL_ENDED_WITHIN_MS);
      await stopProducers(running);
      const { repeated, failed, notEnded } = counts;
      const seen = Object.entries({ repeated, failed, refused, "not ended": notEnded });
      return controlOf(
        withoutKeysInUse.name,
        seen
          .filter(([, count]) => count > 0)
          .map(([kind, count]) => `${count} of ${CONTROL_JOBS} jobs ${kind}`),
      );
    });
  });
}

/** What is refused is not sent again. */
function once(submitter: Submitter): Submitter {
  return (job) =>
    submitter(job).catch((error: Error) => {
      throw Object.assign(error, { retryable: false });
    });
}

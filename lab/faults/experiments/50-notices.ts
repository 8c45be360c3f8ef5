import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { Queue } from "bullmq";
import type { Producer } from "holdfast";
import type { Notice } from "../../../src/roles/notices/notice.ts";
import { groupBy } from "../../lib/group-by.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { noCounts } from "../lib/checker.ts";
import { type Context, type Control, controlOf, type Experiment } from "../lib/experiment.ts";
import type notifiedApplication from "../lib/inside/notified-application.ts";
import type { doubted } from "../lib/inside/notified-application.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutNoticeKey } from "../lib/mutations.ts";
import type { Role } from "../lib/role.ts";
import { LONG_LOCK, type Testbed, withTestbed } from "../lib/testbed.ts";

export const notices: Experiment = {
  number: 50,
  title: "Notices",
  fault:
    "effects come into doubt at random moments while three APIs are killed at random; the receiver refuses for an hour of retries; then Redis is killed",
  mustHold:
    "each doubt is told, at most a minute late while the receiver accepts; none twice within its bucket, nor called over; without Redis each API that tells it says so, and that it is over",
  async run(context) {
    const controls = Promise.all([control(context)]);
    const seen = await tell(context, context.isQuick ? quick : full);
    return {
      counts: { ...noCounts, acknowledged: seen.events, faults: seen.deaths + 2 },
      table: {
        head: [
          "events",
          "notices",
          "APIs killed",
          "refused tries",
          "not told",
          "twice",
          "late: p50, worst, ms",
          "APIs that told without Redis",
        ],
        rows: [
          [
            seen.events,
            seen.notices,
            seen.deaths,
            seen.refusals,
            seen.untold,
            seen.twice,
            `${seen.lateMs.p50}, ${seen.lateMs.worst}`,
            seen.withoutRedis?.tellers ?? 0,
          ],
        ],
      },
      measured: seen.withoutRedis === undefined ? [] : [HOUR_OF_RETRIES],
      broken: faultsIn(seen),
      controls: await controls,
    };
  },
};

interface Size {
  readonly events: number;
  /** Events while the receiver refuses, beside the others. */
  readonly refused: number;
  /** Events just before Redis is killed. */
  readonly cut: number;
  /** During which the events begin, in milliseconds. */
  readonly forMs: number;
  readonly downMs: number;
  readonly bucketMs: number;
  /** Longest life of an API once it is ready; none is killed without. */
  readonly lifeMs?: number;
}

const quick: Size = {
  events: 60,
  refused: 5,
  cut: 5,
  forMs: 4_000,
  downMs: 500,
  bucketMs: 2_000,
  lifeMs: 2_000,
};
const full: Size = {
  events: 850,
  refused: 100,
  cut: 50,
  forMs: 120_000,
  downMs: 40_000,
  bucketMs: 30_000,
  lifeMs: 10_000,
};
const controlled: Size = { events: 10, refused: 0, cut: 0, forMs: 200, downMs: 0, bucketMs: 15_000 };

const LATE_MS = 60_000;
const HOUR_MS = 3_600_000;
const HOUR_OF_RETRIES =
  "the receiver refused each notice until its retries had waited for an hour by their own times, which the laboratory cut short";
/** Longer than a doubt may take to be told: what is late is told apart from what is not told. */
const SETTLES_WITHIN_MS = 90_000;
const SUBMITTERS = 8;

interface Judged {
  readonly events: number;
  readonly notices: number;
  readonly untold: number;
  readonly twice: number;
  /** Notices that doubts are over: nothing is resolved here, so none of them is true. */
  readonly falselyOver: number;
  /** From a doubt to its notice, of those that began while the receiver accepted. */
  readonly lateMs: { readonly p50: number; readonly worst: number };
}

/** APIs that said themselves that Redis was gone, and those of them that did not say that it was over. */
interface Tellers {
  readonly tellers: number;
  readonly silent: number;
}

interface Seen extends Judged {
  readonly deaths: number;
  readonly refusals: number;
  /** Undefined if so much was not told before that nothing else was tried. */
  readonly withoutRedis: Tellers | undefined;
}

async function tell(context: Context, size: Size, mutation?: Mutation): Promise<Seen> {
  const receiver = await startReceiver();
  const env = {
    ...LONG_LOCK,
    ON_CALL_URL: receiver.url,
    ON_CALL_SECRET: SECRET,
    LAB_BUCKET_MS: String(size.bucketMs),
  };
  try {
    return await withTestbed({ workers: 0, env, ...(mutation && { mutation }) }, async (testbed) => {
      testbed.startRole("notified", "worker");
      const apis = ["api1", "api2", "api3"].map((name) => testbed.startRole("notified", name));
      await Promise.all(apis.map((api) => api.ready()));
      return await withNotified(testbed, (notified) =>
        tellAll(context, size, { testbed, apis, receiver, notified }),
      );
    });
  } finally {
    receiver.stop();
  }
}

interface Notified {
  readonly producer: Producer;
  readonly jobs: typeof doubted;
}

interface Stage {
  readonly testbed: Testbed;
  readonly apis: readonly Role[];
  readonly receiver: Receiver;
  readonly notified: Notified;
}

/** A producer of the application whose doubts are told. */
async function withNotified<T>(
  { installation, env }: Testbed,
  use: (notified: Notified) => Promise<T>,
): Promise<T> {
  const file = pathToFileURL(join(installation.directory, "lab/notified-application.js")).href;
  const loaded = (await import(file)) as { default: typeof notifiedApplication; doubted: typeof doubted };
  const { createProducer } = await installation.library();
  const producer = await createProducer(loaded.default, env);
  try {
    return await use({ producer, jobs: loaded.doubted });
  } finally {
    await producer.stop();
  }
}

async function tellAll(context: Context, size: Size, stage: Stage): Promise<Seen> {
  const { testbed, apis, receiver } = stage;
  const endAt = performance.now() + size.forMs;
  const [events] = await Promise.all([
    bringAbout(stage, context, { name: "up", count: size.events, forMs: size.forMs }),
    ...(size.lifeMs === undefined ? [] : apis.map((api) => killOften(api, context, size.lifeMs ?? 0, endAt))),
  ]);
  const deaths = testbed.deaths.length;
  const look = () => judge(ranked(events), receiver.received, size);
  const isOver = () => (testbed.isControl ? look().twice > 0 : look().untold === 0);
  const wasOver = await until(isOver, { withinMs: SETTLES_WITHIN_MS });
  if (testbed.isControl || !wasOver) return { ...look(), deaths, refusals: 0, withoutRedis: undefined };
  const missed = await whileRefused(stage, context, size, events);
  const refusals = receiver.refused.length;
  const before = judge(ranked([...events, ...missed]), receiver.received, size);
  const cut = await bringAbout(stage, context, { name: "cut", count: size.cut, forMs: 0 });
  const tellers = await killRedis(testbed, receiver);
  const all = ranked([...events, ...missed, ...cut]);
  await untilTold(all, receiver);
  // A delivery whose end Redis did not get to know is made again, with the same id.
  const after = judge(all, onePerId(receiver.received), size);
  return { ...after, twice: Math.max(before.twice, after.twice), deaths, refusals, withoutRedis: tellers };
}

/** The receiver refuses until each notice has been tried for an hour, and accepts again. */
async function whileRefused(
  stage: Stage,
  context: Context,
  size: Size,
  events: readonly Found[],
): Promise<Found[]> {
  const { testbed, receiver } = stage;
  receiver.refuses = true;
  const missed = await bringAbout(stage, context, { name: "down", count: size.refused, forMs: size.downMs });
  const all = ranked([...events, ...missed]);
  await until(() => isTold(all, [...receiver.received, ...receiver.refused]), {
    withinMs: SETTLES_WITHIN_MS,
  });
  const retries = openRetries(testbed);
  try {
    const notices = new Set(receiver.refused.map(({ id }) => id)).size;
    const isAnHour = async () => (await retries.hurry()) >= notices;
    if (!(await until(isAnHour, { withinMs: SETTLES_WITHIN_MS })))
      throw new Error("notices were not tried for an hour");
    receiver.refuses = false;
    const look = async () => {
      await retries.hurry();
      return isTold(all, receiver.received);
    };
    await until(look, { withinMs: SETTLES_WITHIN_MS });
  } finally {
    await retries.close();
  }
  return missed;
}

/** Notices that wait for their next try. */
function openRetries({ store }: Testbed) {
  const connection = { url: store.url };
  const queue = new Queue("{holdfast-notices}", { prefix: "holdfast", connection });
  queue.on("error", () => {});
  const waited = new Map<string, number>();
  return {
    /** Tries them now. @returns how many have waited for an hour by their own times */
    async hurry(): Promise<number> {
      for (const job of await queue.getDelayed()) {
        const { id = "", delay } = job;
        // One whose time has just come is not promoted, and not counted.
        const ms = await job.promote().then(
          () => delay,
          () => 0,
        );
        waited.set(id, (waited.get(id) ?? 0) + ms);
      }
      return [...waited.values()].filter((ms) => ms >= HOUR_MS).length;
    },
    close: () => queue.close(),
  };
}

/** An effect that came into doubt. */
interface Found {
  readonly queue: string;
  readonly at: number;
  /** Whether the receiver accepts then, and Redis is there. */
  readonly isUp: boolean;
}

interface Event extends Found {
  /** Which one of its queue it is, in the order of time. */
  readonly rank: number;
}

interface Batch {
  readonly name: "up" | "down" | "cut";
  readonly count: number;
  /** During which they begin, in milliseconds. */
  readonly forMs: number;
}

/** Brings doubts about at random moments. */
async function bringAbout(
  { notified: { producer, jobs } }: Stage,
  { random }: Context,
  { name, count, forMs }: Batch,
): Promise<Found[]> {
  const begunAt = performance.now();
  const moments = Array.from({ length: count }, (_, at) => ({ at, due: random.between(0, forMs) }));
  const found: Found[] = [];
  await inLanes(
    moments.sort((a, b) => a.due - b.due),
    SUBMITTERS,
    async ({ at, due }) => {
      const job = jobs[at % jobs.length];
      if (job === undefined) return;
      await sleep(Math.max(0, due - (performance.now() - begunAt)));
      const submit = () =>
        producer.submit(job, null, { idempotencyKey: `${name}-${at}` }).catch(() => undefined);
      const receipt = await until(submit, { withinMs: SETTLES_WITHIN_MS });
      const since = await until(() => sinceWhen(producer, receipt?.id ?? ""), {
        withinMs: SETTLES_WITHIN_MS,
      });
      if (since === undefined) throw new Error(`${name}-${at} did not come into doubt`);
      found.push({ queue: job.queue, at: since, isUp: name === "up" });
    },
  );
  return found;
}

async function sinceWhen(producer: Producer, id: string): Promise<number | undefined> {
  const status = await producer.status(id).catch(() => undefined);
  const effect = status?.effects.find(({ state }) => state === "in-doubt");
  return effect === undefined ? undefined : Date.parse(effect.at);
}

/** Nothing is resolved here, so the doubt of a rank is told by a notice that counts as many. */
function ranked(found: readonly Found[]): Event[] {
  return [...groupBy(found, ({ queue }) => queue).values()].flatMap((some) =>
    some.sort((a, b) => a.at - b.at).map((event, index) => ({ ...event, rank: index + 1 })),
  );
}

async function killOften(api: Role, { random }: Context, lifeMs: number, endAt: number): Promise<void> {
  const own = random.fork(api.name);
  while (performance.now() < endAt) {
    await api.ready();
    await sleep(own.between(0, lifeMs));
    api.signal("SIGKILL");
  }
  await api.ready();
}

/** Kills Redis, and restarts it once somebody was told. */
async function killRedis({ store, outages }: Testbed, receiver: Receiver): Promise<Tellers> {
  const before = receiver.received.length;
  const sayers = (stage: Notice["stage"]) => {
    const direct = receiver.received
      .slice(before)
      .filter(({ kind, sentBy }) => kind === "redis" && sentBy !== null);
    return new Set(direct.filter((notice) => notice.stage === stage).map(({ sentBy }) => sentBy));
  };
  await outages.during(async () => {
    await store.kill();
    await until(() => sayers("began").size > 0, { withinMs: LATE_MS });
    await store.restart();
  });
  const silent = () => [...sayers("began")].filter((api) => !sayers("over").has(api)).length;
  await until(() => silent() === 0, { withinMs: LATE_MS });
  return { tellers: sayers("began").size, silent: silent() };
}

function untilTold(events: readonly Event[], { received }: Receiver): Promise<boolean | undefined> {
  return until(() => isTold(events, received), { withinMs: SETTLES_WITHIN_MS });
}

function isTold(events: readonly Event[], received: readonly Received[]): boolean {
  return events.every((event) => toldAt(event, received) !== undefined);
}

function toldAt({ queue, rank }: Event, received: readonly Received[]): number | undefined {
  const telling = received.filter(
    ({ kind, subject, count }) => kind === "doubt" && subject === `queue ${queue}` && count >= rank,
  );
  return telling.length === 0 ? undefined : Math.min(...telling.map(({ receivedAt }) => receivedAt));
}

function onePerId(received: readonly Received[]): Received[] {
  return [...groupBy(received, ({ id }) => id).values()].flatMap((some) => some.slice(0, 1));
}

function judge(events: readonly Event[], received: readonly Received[], { bucketMs }: Size): Judged {
  const late = events.flatMap((event) => {
    const at = toldAt(event, received);
    return at === undefined || !event.isUp ? [] : [Math.max(0, at - event.at)];
  });
  late.sort((a, b) => a - b);
  const buckets = groupBy(
    received.filter(({ kind, sentBy }) => kind === "doubt" && sentBy === null),
    ({ subject, stage, at }) => `${subject} ${stage} ${Math.floor(Date.parse(at) / bucketMs)}`,
  );
  return {
    events: events.length,
    notices: received.length,
    untold: events.filter((event) => toldAt(event, received) === undefined).length,
    twice: [...buckets.values()].filter(({ length }) => length > 1).length,
    falselyOver: received.filter(({ kind, stage }) => kind === "doubt" && stage === "over").length,
    lateMs: { p50: late[Math.floor(late.length / 2)] ?? 0, worst: late.at(-1) ?? 0 },
  };
}

function faultsIn({ untold, twice, falselyOver, lateMs, deaths, refusals, withoutRedis }: Seen): string[] {
  return [
    ...(deaths === 0 ? ["no API was killed"] : []),
    ...(withoutRedis !== undefined && refusals === 0 ? ["the receiver refused nothing"] : []),
    ...(falselyOver > 0
      ? [`${falselyOver} notices said that doubts were over that nobody had resolved`]
      : []),
    ...(untold > 0 ? [`${untold} doubts were not told`] : []),
    ...(twice > 0 ? [`${twice} notices were told twice within their bucket`] : []),
    ...(lateMs.worst > LATE_MS ? [`a doubt was told ${lateMs.worst} ms late`] : []),
    ...(withoutRedis?.tellers === 0 ? ["nobody said that Redis was gone"] : []),
    ...(withoutRedis !== undefined && withoutRedis.silent > 0
      ? [`${withoutRedis.silent} APIs did not say that Redis was back`]
      : []),
  ];
}

async function control(context: Context): Promise<Control> {
  const { twice } = await tell(context, controlled, withoutNoticeKey);
  return controlOf(
    withoutNoticeKey.name,
    twice > 0 ? [`${twice} notices were told twice within their bucket`] : [],
  );
}

const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

interface Received extends Notice {
  readonly receivedAt: number;
}

interface Receiver {
  readonly url: string;
  readonly received: readonly Received[];
  readonly refused: readonly Received[];
  refuses: boolean;
  stop(): void;
}

async function startReceiver(): Promise<Receiver> {
  const received: Received[] = [];
  const refused: Received[] = [];
  const server = createServer(async (request, response) => {
    // An API that is killed while it sends something itself leaves half of it.
    const body = await text(request).catch(() => undefined);
    if (body === undefined) return;
    const { data } = JSON.parse(body) as { data: Notice };
    (receiver.refuses ? refused : received).push({ ...data, receivedAt: Date.now() });
    response.writeHead(receiver.refuses ? 503 : 200).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/notices`,
    received,
    refused,
    refuses: false,
    stop: () => void server.close().closeAllConnections(),
  };
  return receiver;
}

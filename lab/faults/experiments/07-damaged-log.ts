import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import type { SeenEpoch } from "../../../src/platform/redis/fitness/epoch.ts";
import type { Random } from "../../../test/support/random.ts";
import { type RedisServer, startRedisServer } from "../../../test/support/redis-server.ts";
import { until } from "../../lib/waiting.ts";
import { actJob } from "../lib/act-jobs.ts";
import { noCounts } from "../lib/checker.ts";
import { apiSubmitter } from "../lib/client.ts";
import { type Context, type Control, type Experiment, untilCaught } from "../lib/experiment.ts";
import { submitUntilLossIsNoticed } from "../lib/flush.ts";
import { scratchFolder } from "../lib/scratch.ts";
import { allEnded, type Testbed, withTestbed } from "../lib/testbed.ts";
import { withRedis } from "../lib/with-redis.ts";

export const damagedLog: Experiment = {
  number: 7,
  title: "Redis's files are damaged",
  fault:
    "copies of Redis's files, each with the end of its log cut off, or one bit flipped; a Redis is started on each",
  mustHold:
    "it refuses to start and says why, or has everything that was acknowledged except what was cut off; then Holdfast accepts " +
    "nothing until somebody accepts the loss",
  async run(context) {
    const [jobs, times] = context.isQuick ? [20, 6] : [200, 120];
    return await withTestbed({ workers: 1, concurrency: 8, api: true }, async (testbed) => {
      const original = await fillStore(testbed, context, jobs);
      const truncated = await damageRepeatedly(context, original, "end cut off", times, truncateLog);
      const base = await damageRepeatedly(
        context,
        original,
        "bit flipped in the base",
        times,
        flipBit("base"),
      );
      const log = await damageRepeatedly(context, original, "bit flipped in the log", times, flipBit("incr"));
      const rows = [truncated, base, log];
      const answer = await answerAfterTruncation(testbed, context);
      return {
        counts: {
          ...noCounts,
          acknowledged: original.ids.length,
          faults: rows.length * times,
          lost: truncated.unexplained + base.changed,
        },
        table: {
          head: [
            "damage",
            "times",
            "refused, or ended itself",
            "whole",
            "without what was cut off",
            "other than it was",
          ],
          rows: rows.map(({ name, refused, whole, shorter, changed }) => [
            name,
            times,
            refused,
            whole,
            shorter,
            changed,
          ]),
        },
        measured: [
          `Holdfast, which had seen more than is left after the cut, said: ${answer}`,
          `${original.ids.length} jobs were acknowledged; half of the data is in Redis's base file, which has a checksum, half in its log, which has none`,
          "not promised: a bit that flips inside a value of the log goes unnoticed. A file system with checksums, or ECC memory, helps",
        ],
        broken: [
          ...(answer.includes("STORE_ROLLED_BACK")
            ? []
            : [`with the end of the log cut off the API answered: ${answer}`]),
          ...(truncated.unexplained > 0
            ? [`${truncated.unexplained} acknowledged jobs were lost that had not been truncated`]
            : []),
          ...(base.changed > 0 ? [`${base.changed} times Redis started with a damaged base`] : []),
        ],
        controls: [await untilCaught(CONTROL_TRIES, () => checksumControl(context, original, times))],
      };
    });
  },
};

/** The files of a Redis, and their content. */
interface Original {
  readonly directory: string;
  readonly ids: readonly string[];
  /** Of the whole content. */
  readonly digest: string;
}

/** Half of the jobs run to their end and get into the base; the other half wait in the log. */
async function fillStore(testbed: Testbed, { random }: Context, jobs: number): Promise<Original> {
  const submit = async (name: string) => {
    for (let index = 0; index < jobs / 2; index += 1)
      await testbed.client.submit(actJob(`${name}-${index}`, random));
  };
  await submit("base");
  await allEnded(testbed, 120_000);
  await Promise.all(testbed.workers.map((worker) => worker.stop()));
  await rewriteLog(testbed.store);
  await submit("log");
  const directory = scratchFolder("files");
  await testbed.store.kill();
  cpSync(join(testbed.directory, "store"), directory, { recursive: true });
  const copy = await startOn(directory);
  if (typeof copy === "string") throw new Error(copy);
  const digest = await digestOf(copy);
  await copy.stop();
  await testbed.store.restart();
  return { directory, ids: testbed.client.acknowledged.map(({ id }) => id), digest };
}

/**
 * Truncates the log while the API runs, which has seen what is cut off: a process that has not, and counts as much before one that has is
 * connected again, hides the loss (docs/limits.md).
 *
 * @returns the API's answer to a submission after that
 */
async function answerAfterTruncation(testbed: Testbed, { random }: Context): Promise<string> {
  const { api, client, directory, store } = testbed;
  // Idle processes write, too: what is cut off must be more than that.
  await client.submit(actJob("cut-off", random));
  await untilRemembered(testbed);
  await store.kill();
  truncateLog(join(directory, "store"), random, client.acknowledged.at(-1)?.id);
  await store.restart();
  const submitter = apiSubmitter(async () => (await api?.ready())?.url ?? "");
  return await submitUntilLossIsNoticed(submitter, actJob("afterwards", random));
}

const REMEMBERED_WITHIN_MS = 60_000;

/** Waits until the API, which alone keeps what it has seen of the epoch in this folder, has seen all that Redis has counted. */
async function untilRemembered({ env, store }: Testbed): Promise<void> {
  const { epoch } = queueKeys("holdfast", "default");
  const counted = await withRedis(store, async (redis) => Number(await redis.hget(epoch, "count")));
  const folder = join(env.HOLDFAST_DATA_DIR ?? "", "epochs");
  const isRemembered = () =>
    readdirSync(folder).some((name) => {
      if (!name.endsWith(".json")) return false;
      const seen = JSON.parse(readFileSync(join(folder, name), "utf8")) as Record<string, SeenEpoch>;
      return (seen.default?.count ?? 0) >= counted;
    });
  if ((await until(isRemembered, { withinMs: REMEMBERED_WITHIN_MS })) === undefined)
    throw new Error("The API has not seen what Redis counted");
}

async function rewriteLog(store: RedisServer): Promise<void> {
  await withRedis(store, async (redis) => {
    await redis.bgrewriteaof();
    const isDone = async () =>
      /aof_rewrite_in_progress:0\s+aof_rewrite_scheduled:0/.test(await redis.info("persistence"));
    await until(isDone, { withinMs: 60_000 });
  });
}

/** Damages files. */
type Damage = (directory: string, random: Random) => void;

const TAIL_BYTES = 6_000;

/** @param last what the end begins with; nothing after the last transaction was acknowledged, such as an expired lock */
function truncateLog(directory: string, random: Random, last = "EXEC"): void {
  const file = fileOf(directory, "incr");
  const promised = readFileSync(file).lastIndexOf(last);
  truncateSync(file, promised - random.between(0, Math.min(TAIL_BYTES, promised - 1)));
}

function flipBit(part: "base" | "incr"): Damage {
  return (directory, random) => {
    const file = fileOf(directory, part);
    const bytes = readFileSync(file);
    const at = random.between(0, bytes.length - 1);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.between(0, 7));
    writeFileSync(file, bytes);
  };
}

function fileOf(directory: string, part: "base" | "incr"): string {
  const folder = join(directory, "appendonlydir");
  const name = readdirSync(folder).find((candidate) => candidate.includes(`.${part}.`));
  if (name === undefined) throw new Error(`Redis has no ${part} file`);
  return join(folder, name);
}

interface Seen {
  readonly name: string;
  refused: number;
  whole: number;
  /** Started without the truncated end, and with everything else. */
  shorter: number;
  /** Started with other content than it had. */
  changed: number;
  /** Acknowledged jobs that are missing though they were not truncated. */
  unexplained: number;
}

async function damageRepeatedly(
  { random, say }: Context,
  original: Original,
  name: string,
  times: number,
  damage: Damage,
  args: readonly string[] = [],
): Promise<Seen> {
  const seen: Seen = { name, refused: 0, whole: 0, shorter: 0, changed: 0, unexplained: 0 };
  for (let time = 0; time < times; time += 1) {
    say(`${name}, ${time + 1} of ${times}`);
    const directory = scratchFolder("damaged");
    cpSync(original.directory, directory, { recursive: true });
    damage(directory, random);
    const store = await startOn(directory, args);
    if (typeof store === "string") seen.refused += 1;
    else {
      const { kind, unexplained } = await compare(store, directory, original);
      seen[kind] += 1;
      seen.unexplained += unexplained;
      await store.stop();
    }
    rmSync(directory, { recursive: true });
  }
  return seen;
}

type Kind = "refused" | "whole" | "shorter" | "changed";

/** Compares what Redis loaded from damaged files with what it had. */
async function compare(
  store: RedisServer,
  directory: string,
  original: Original,
): Promise<{ kind: Kind; unexplained: number }> {
  try {
    const dropped = droppedFrom(
      readFileSync(fileOf(original.directory, "incr")),
      readFileSync(fileOf(directory, "incr")),
    );
    const missing = await missingIn(store, original.ids);
    const unexplained = missing.filter((id) => !dropped.includes(id)).length;
    if ((await digestOf(store)) === original.digest) return { kind: "whole", unexplained };
    return { kind: dropped === "" ? "changed" : "shorter", unexplained };
  } catch {
    // It ended when it was read.
    return { kind: "refused", unexplained: 0 };
  }
}

/** What Redis itself dropped: it returns to the last whole transaction, and may have written since. */
function droppedFrom(before: Buffer, after: Buffer): string {
  if (after.length >= before.length) return "";
  const differs = before.findIndex((byte, index) => byte !== after[index]);
  return before.subarray(before.lastIndexOf("MULTI", differs)).toString("latin1");
}

/** @returns Redis's message when it refuses */
async function startOn(directory: string, args: readonly string[] = []): Promise<RedisServer | string> {
  try {
    return await startRedisServer({ directory, args: ["--enable-debug-command", "yes", ...args] });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function digestOf(store: RedisServer): Promise<string> {
  return await withRedis(store, async (client) => String(await client.call("DEBUG", "DIGEST")));
}

async function missingIn(store: RedisServer, ids: readonly string[]): Promise<string[]> {
  return await withRedis(store, async (client) => {
    const there = await Promise.all(ids.map((id) => client.exists(`holdfast:{default}:${id}`)));
    return ids.filter((_, index) => there[index] === 0);
  });
}

/** A flipped bit shows in four of five starts. */
const CONTROL_TRIES = 3;

async function checksumControl(context: Context, original: Original, times: number): Promise<Control> {
  const unchecked = ["--rdbchecksum", "no"];
  const flip = flipBit("base");
  const { changed } = await damageRepeatedly(
    context,
    original,
    "control: no checksum",
    times,
    flip,
    unchecked,
  );
  return {
    protection: "the base's checksum",
    isCaught: changed > 0,
    seen: `${changed} of ${times} times Redis started with a damaged base`,
  };
}

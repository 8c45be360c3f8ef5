import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type RedisServer, startRedisServer } from "../../test/support/redis-server.ts";
import { actJob } from "../lib/act-jobs.ts";
import { allEnded, type Bench, withBench } from "../lib/bench.ts";
import { noCounts } from "../lib/checker.ts";
import { apiDoor } from "../lib/client.ts";
import type { Context, Control, Experiment } from "../lib/experiment.ts";
import { whatIsSaid } from "../lib/flush.ts";
import type { Random } from "../lib/random.ts";
import { scratchFolder } from "../lib/scratch.ts";
import { withHand } from "../lib/store-hand.ts";
import { until } from "../lib/waiting.ts";

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
    return await withBench({ workers: 1, concurrency: 8, api: true }, async (bench) => {
      const original = await fillStore(bench, context, jobs);
      const cut = await damageAgainAndAgain(context, original, "end cut off", times, cutEnd);
      const base = await damageAgainAndAgain(
        context,
        original,
        "bit flipped in the base",
        times,
        flipBit("base"),
      );
      const log = await damageAgainAndAgain(
        context,
        original,
        "bit flipped in the log",
        times,
        flipBit("incr"),
      );
      const rows = [cut, base, log];
      const said = await saidOfCutLog(bench, context);
      return {
        counts: {
          ...noCounts,
          acknowledged: original.ids.length,
          faults: rows.length * times,
          lost: cut.unexplained + base.changed,
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
          `Holdfast, which had seen more than is left after the cut, said: ${said}`,
          `${original.ids.length} jobs were acknowledged; half of the data is in Redis's base file, which has a checksum, half in its log, which has none`,
          "not promised: a bit that flips inside a value of the log goes unnoticed. A file system with checksums, or ECC memory, helps",
        ],
        broken: [
          ...(said.includes("STORE_ROLLED_BACK")
            ? []
            : [`of a store with its end cut off the API said: ${said}`]),
          ...(cut.unexplained > 0
            ? [`${cut.unexplained} acknowledged jobs were lost that had not been cut off`]
            : []),
          ...(base.changed > 0 ? [`${base.changed} stores started with a damaged base`] : []),
        ],
        controls: [await checksumControl(context, original, times)],
      };
    });
  },
};

/** A store's files, and what is in them. */
interface Original {
  readonly directory: string;
  readonly ids: readonly string[];
  /** Of all that the store holds. */
  readonly digest: string;
}

/** Half of the jobs, run to their end, get into the base; the other half wait in the log. */
async function fillStore(bench: Bench, { random }: Context, jobs: number): Promise<Original> {
  const submit = async (name: string) => {
    for (let index = 0; index < jobs / 2; index += 1)
      await bench.client.submit(actJob(`${name}-${index}`, random));
  };
  await submit("base");
  await allEnded(bench, 60_000);
  await Promise.all(bench.workers.map((worker) => worker.stop()));
  await rewriteLog(bench.store);
  await submit("log");
  const directory = scratchFolder("files");
  await bench.store.kill();
  cpSync(join(bench.directory, "store"), directory, { recursive: true });
  const copy = await startOn(directory);
  if (typeof copy === "string") throw new Error(copy);
  const digest = await digestOf(copy);
  await copy.stop();
  await bench.store.restart();
  return { directory, ids: bench.client.acknowledged.map(({ id }) => id), digest };
}

/** The end of the log goes while the API lives on. @returns what that says to a submission then */
async function saidOfCutLog({ api, directory, store }: Bench, { random }: Context): Promise<string> {
  await store.kill();
  cutEnd(join(directory, "store"), random);
  await store.restart();
  const door = apiDoor(async () => (await api?.ready())?.url ?? "");
  return await whatIsSaid(door, actJob("afterwards", random));
}

async function rewriteLog(store: RedisServer): Promise<void> {
  await withHand(store, async (hand) => {
    await hand.bgrewriteaof();
    const isDone = async () =>
      /aof_rewrite_in_progress:0\s+aof_rewrite_scheduled:0/.test(await hand.info("persistence"));
    await until(isDone, { withinMs: 20_000 });
  });
}

/** Damages files. */
type Damage = (directory: string, random: Random) => void;

const TAIL_BYTES = 6_000;

function cutEnd(directory: string, random: Random): void {
  const file = fileOf(directory, "incr");
  // Nobody was promised what may stand behind the last transaction, e.g. that a lock has expired.
  const promised = readFileSync(file).lastIndexOf("EXEC");
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
  if (name === undefined) throw new Error(`The store has no ${part} file`);
  return join(folder, name);
}

interface Seen {
  readonly name: string;
  refused: number;
  whole: number;
  /** Started without what was cut off, and with all the rest. */
  shorter: number;
  /** Started with something else than it had. */
  changed: number;
  /** Acknowledged jobs that were not cut off, and are not there. */
  unexplained: number;
}

async function damageAgainAndAgain(
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

/** What a store that was started on damaged files has, compared with what it had. */
async function compare(
  store: RedisServer,
  directory: string,
  original: Original,
): Promise<{ kind: Kind; unexplained: number }> {
  try {
    const cutOff = cutOffFrom(
      readFileSync(fileOf(original.directory, "incr")),
      readFileSync(fileOf(directory, "incr")),
    );
    const missing = await missingIn(store, original.ids);
    const unexplained = missing.filter((id) => !cutOff.includes(id)).length;
    if ((await digestOf(store)) === original.digest) return { kind: "whole", unexplained };
    return { kind: cutOff === "" ? "changed" : "shorter", unexplained };
  } catch {
    // It has ended itself when it was looked at.
    return { kind: "refused", unexplained: 0 };
  }
}

/** What the store itself left out of its log: it goes back to the last whole transaction, and may have written since. */
function cutOffFrom(before: Buffer, after: Buffer): string {
  if (after.length >= before.length) return "";
  const differs = before.findIndex((byte, index) => byte !== after[index]);
  return before.subarray(before.lastIndexOf("MULTI", differs)).toString("latin1");
}

/** @returns what the store said when it refused */
async function startOn(directory: string, args: readonly string[] = []): Promise<RedisServer | string> {
  try {
    return await startRedisServer({ directory, args: ["--enable-debug-command", "yes", ...args] });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function digestOf(store: RedisServer): Promise<string> {
  return await withHand(store, async (client) => String(await client.call("DEBUG", "DIGEST")));
}

async function missingIn(store: RedisServer, ids: readonly string[]): Promise<string[]> {
  return await withHand(store, async (client) => {
    const there = await Promise.all(ids.map((id) => client.exists(`holdfast:{default}:${id}`)));
    return ids.filter((_, index) => there[index] === 0);
  });
}

async function checksumControl(context: Context, original: Original, times: number): Promise<Control> {
  const unchecked = ["--rdbchecksum", "no"];
  const flip = flipBit("base");
  const { changed } = await damageAgainAndAgain(
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
    seen: `${changed} of ${times} stores started with a damaged base`,
  };
}

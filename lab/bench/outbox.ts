import pg from "pg";
import { migrate } from "../../src/roles/outbox/database.ts";
import { runCommand, say } from "../../test/support/command.ts";
import { createDatabase, startPostgres } from "../../test/support/postgres.ts";
import { startRedisServer } from "../../test/support/redis-server.ts";
import { plainTable } from "../../test/support/report.ts";
import { until } from "../../test/support/until.ts";
import { type Contestant, graphileWorker, holdfast, pgBoss } from "./outbox/contestants.ts";
import { type EffectCost, measureDatabaseEffect, median } from "./outbox/database-effect.ts";

const usage = `npm run outbox -- [options]

Measures the outbox beside pg-boss and graphile-worker, on one PostgreSQL and one Redis that fsync each commit. Each transaction writes a row of
its own and enqueues a job: how many transactions a second commit, how many jobs a second are fetched from a backlog (by Holdfast's relay: Redis
has them on its disk), how many are fetched and run, and how long after its commit a job starts while nothing else waits. Then what a database effect costs: a
transaction of one insert, with the effect's row and without.

  --quick  a short form
  --help   shows this text

Exit codes: 0 the goals are met, 1 they are not, 2 wrong usage.`;

const full = { jobs: 20_000, lone: 200, rounds: 3 };
const quick = { jobs: 5_000, lone: 50, rounds: 1 };
type Size = typeof full;

const CONNECTIONS = 8;
const goals = { startP50Ms: 20, ratio: 2 };

await runCommand(usage, { quick: { type: "boolean", default: false } }, async ({ quick: isQuick }) => {
  const postgres = await startPostgres({ isDurable: true });
  const redis = await startRedisServer();
  try {
    const databaseUrl = await createDatabase(postgres.url);
    await migrate(databaseUrl);
    const contestants = [holdfast(databaseUrl, redis.url), pgBoss(databaseUrl), graphileWorker(databaseUrl)];
    const pool = new pg.Pool({ connectionString: databaseUrl, max: CONNECTIONS });
    await pool.query("CREATE TABLE orders (id serial PRIMARY KEY, n int)");
    const results: Result[] = [];
    for (const contestant of contestants)
      results.push(await measure(contestant, pool, isQuick ? quick : full));
    await pool.end();
    const isMet = report(results);
    const { costs, bytesPerRow } = await measureDatabaseEffect(databaseUrl);
    reportEffect(costs);
    say(`${bytesPerRow} bytes of PostgreSQL for each effect, indexes included`);
    return isMet ? 0 : 1;
  } finally {
    await redis.stop();
    await postgres.stop();
  }
});

interface Result {
  readonly name: string;
  /** Of each round, in jobs a second. */
  readonly committed: number[];
  readonly fetched: number[];
  readonly completed: number[];
  /** From commit to start, in milliseconds, sorted. */
  readonly startMs: number[];
}

async function measure(contestant: Contestant, pool: pg.Pool, { jobs, lone, rounds }: Size): Promise<Result> {
  await contestant.setUp();
  const result: Result = { name: contestant.name, committed: [], fetched: [], completed: [], startMs: [] };
  const backlog = async (from: number) => {
    const begun = performance.now();
    await Promise.all(
      Array.from({ length: CONNECTIONS }, async (_, lane) => {
        for (let n = lane; n < jobs; n += CONNECTIONS) await commitOne(contestant, pool, from + n);
      }),
    );
    result.committed.push(perSecond(jobs, begun));
  };
  for (let round = 0; round < rounds; round += 1) {
    await backlog(2 * round * jobs);
    const { startFetching } = contestant;
    if (startFetching !== undefined)
      result.fetched.push(await drain(jobs, startFetching, contestant.fetched));
    if (startFetching !== undefined) await runAll(contestant, jobs);
    await backlog((2 * round + 1) * jobs);
    const completed = await drain(jobs, () => contestant.start(() => {}), contestant.completed);
    result.completed.push(completed);
    if (startFetching === undefined) result.fetched.push(completed);
  }
  result.startMs.push(...(await measureStarts(contestant, pool, lone)).sort((a, b) => a - b));
  return result;
}

async function commitOne(contestant: Contestant, pool: pg.Pool, n: number, at?: number): Promise<void> {
  const tx = await pool.connect();
  await tx.query("BEGIN");
  await tx.query("INSERT INTO orders (n) VALUES ($1)", [n]);
  await contestant.enqueue(tx, n, at);
  await tx.query("COMMIT");
  tx.release();
}

/** What waits is not part of the next measurement. */
async function runAll(contestant: Contestant, jobs: number): Promise<void> {
  const running = await contestant.start(() => {});
  await until("all are run", async () => (await contestant.completed()) >= jobs, 300_000);
  await running.stop();
}

/** From when a tenth is done: starting the processes is not measured. @returns jobs a second */
async function drain(
  jobs: number,
  start: () => Promise<{ stop(): Promise<void> }>,
  done: () => Promise<number>,
): Promise<number> {
  const running = await start();
  const first = await until("some are done", async () => {
    const count = await done();
    return count >= jobs / 10 && { count, at: performance.now() };
  });
  await until("all are done", async () => (await done()) >= jobs, 300_000);
  const rate = perSecond(jobs - first.count, first.at);
  await running.stop();
  return rate;
}

async function measureStarts(contestant: Contestant, pool: pg.Pool, lone: number): Promise<number[]> {
  const startedAt = new Map<number, number>();
  const fetching = await contestant.start((n, at) => startedAt.set(n, at));
  const tookMs: number[] = [];
  for (let n = 0; n < lone; n += 1) {
    await commitOne(contestant, pool, n, n + 1);
    const committedAt = performance.timeOrigin + performance.now();
    const at = await until("it starts", () => startedAt.get(n));
    tookMs.push(at - committedAt);
  }
  await fetching.stop();
  return tookMs;
}

function perSecond(count: number, sinceMs: number): number {
  return (count / (performance.now() - sinceMs)) * 1_000;
}

function report(results: readonly Result[]): boolean {
  const rows = results.map(({ name, committed, fetched, completed, startMs }) => [
    name,
    Math.round(median(committed)),
    Math.round(median(fetched)),
    Math.round(median(completed)),
    median(startMs).toFixed(1),
    (startMs[Math.floor(startMs.length * 0.99)] ?? Number.NaN).toFixed(1),
  ]);
  say(plainTable({ head: ["", "commits/s", "fetched/s", "run/s", "start p50 ms", "start p99 ms"], rows }));
  const [own, boss] = results.map(({ fetched }) => median(fetched));
  const ratio = (own ?? 0) / (boss ?? 1);
  const startMs = median(results[0]?.startMs ?? []);
  say(
    `fetched: ${ratio.toFixed(2)} × pg-boss (goal ${goals.ratio}); start p50 ${startMs.toFixed(1)} ms (goal ${goals.startP50Ms})`,
  );
  return ratio >= goals.ratio && startMs <= goals.startP50Ms;
}

function reportEffect(costs: readonly EffectCost[]): void {
  const rows = costs.map(({ lanes, plainUs, effectUs, ratio }) => [
    lanes,
    Math.round(plainUs),
    Math.round(effectUs),
    ratio.toFixed(2),
  ]);
  say(plainTable({ head: ["transactions at a time", "µs without effect", "µs with", "ratio"], rows }));
}

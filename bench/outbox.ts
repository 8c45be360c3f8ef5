import pg from "pg";
import { migrate } from "../src/features/outbox/database.ts";
import { runCommand, say } from "../test/support/command.ts";
import { createDatabase, startPostgres } from "../test/support/postgres.ts";
import { startRedisServer } from "../test/support/redis-server.ts";
import { plainTable } from "../test/support/report.ts";
import { until } from "../test/support/until.ts";
import { type Contestant, graphileWorker, holdfast, pgBoss } from "./outbox/contestants.ts";

const usage = `npm run outbox -- [options]

Measures the outbox beside pg-boss and graphile-worker, on one PostgreSQL and one Redis that fsync each commit. Each transaction writes a row of
its own and enqueues a job: how many transactions a second commit, how many jobs a second are fetched from a backlog, and how long after its
commit a job starts while nothing else waits.

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
    return report(results) ? 0 : 1;
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
  /** From commit to start, in milliseconds, sorted. */
  readonly startMs: number[];
}

async function measure(contestant: Contestant, pool: pg.Pool, { jobs, lone, rounds }: Size): Promise<Result> {
  await contestant.setUp();
  const result: Result = { name: contestant.name, committed: [], fetched: [], startMs: [] };
  for (let round = 0; round < rounds; round += 1) {
    const begun = performance.now();
    await Promise.all(
      Array.from({ length: CONNECTIONS }, async (_, lane) => {
        for (let n = lane; n < jobs; n += CONNECTIONS) await commitOne(contestant, pool, round * jobs + n);
      }),
    );
    result.committed.push(perSecond(jobs, begun));
    result.fetched.push(await drain(contestant, jobs));
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

/** From when a tenth was fetched: starting the processes is not measured. @returns jobs a second */
async function drain(contestant: Contestant, jobs: number): Promise<number> {
  const fetching = await contestant.start(() => {});
  const first = await until("some are fetched", async () => {
    const count = await contestant.fetched();
    return count >= jobs / 10 && { count, at: performance.now() };
  });
  await until("all are fetched", async () => (await contestant.fetched()) >= jobs, 300_000);
  const rate = perSecond(jobs - first.count, first.at);
  await fetching.stop();
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

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function report(results: readonly Result[]): boolean {
  const rows = results.map(({ name, committed, fetched, startMs }) => [
    name,
    Math.round(median(committed)),
    Math.round(median(fetched)),
    median(startMs).toFixed(1),
    (startMs[Math.floor(startMs.length * 0.99)] ?? Number.NaN).toFixed(1),
  ]);
  say(plainTable({ head: ["", "commits/s", "fetched/s", "start p50 ms", "start p99 ms"], rows }));
  const [own, boss] = results.map(({ fetched }) => median(fetched));
  const ratio = (own ?? 0) / (boss ?? 1);
  const startMs = median(results[0]?.startMs ?? []);
  say(
    `fetched: ${ratio.toFixed(2)} × pg-boss (goal ${goals.ratio}); start p50 ${startMs.toFixed(1)} ms (goal ${goals.startP50Ms})`,
  );
  return ratio >= goals.ratio && startMs <= goals.startP50Ms;
}

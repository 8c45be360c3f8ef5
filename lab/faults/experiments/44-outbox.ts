import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import pg from "pg";
import { createDatabase, type PostgresServer, startPostgres } from "../../../test/support/postgres.ts";
import { inLanes, until } from "../../lib/waiting.ts";
import { noCounts } from "../lib/checker.ts";
import { type Context, type Control, controlOf, type Experiment, untilCaught } from "../lib/experiment.ts";
import { patiently } from "../lib/inside/patiently.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutDeletionLast } from "../lib/mutations.ts";
import type { Role } from "../lib/role.ts";
import { type Testbed, withTestbed } from "../lib/testbed.ts";

export const outbox: Experiment = {
  number: 44,
  title: "The outbox",
  fault:
    "transactions that commit or roll back at random, while relays, Redis and PostgreSQL are killed, relays are paused and their sessions ended",
  mustHold: "each committed row is one job, no other is, and nothing is parked",
  async run(context) {
    const size = context.isQuick ? { transactions: 400, faults: 15 } : { transactions: 10_000, faults: 500 };
    const seen = await withOutbox(context, size, {});
    const controls = [
      await control(context, "commit before submission", { write: submitFirst }),
      await control(context, "submission with its transaction", { write: submitAfterwards }),
      await control(context, withoutDeletionLast.name, { mutation: withoutDeletionLast }),
    ];
    return {
      counts: { ...noCounts, acknowledged: seen.committed, lost: seen.lost, faults: seen.faults },
      table: {
        head: ["transactions", "committed", "jobs", "lost", "of no transaction", "twice", "parked"],
        rows: [
          [size.transactions, seen.committed, seen.jobs, seen.lost, seen.ghosts, seen.twice, seen.parked],
        ],
      },
      measured: [`${seen.committed} committed rows became ${seen.jobs} jobs over ${seen.faults} faults`],
      broken: brokenIn(seen),
      controls,
    };
  },
};

interface Size {
  readonly transactions: number;
  readonly faults: number;
}

/** How a transaction leads to a job. @returns when it has ended, whichever way */
type Write = (tools: Tools, tx: pg.PoolClient, key: string, isKept: boolean) => Promise<unknown>;

interface Tools {
  /** Adds a row for this key. */
  add(tx: pg.PoolClient, key: string): Promise<unknown>;
  /** Submits without an outbox. */
  submit(key: string): Promise<unknown>;
  /** Whether the process dies here. */
  dies(): boolean;
}

interface Variant {
  readonly write?: Write;
  readonly mutation?: Mutation;
}

const end = (tx: pg.PoolClient, isKept: boolean) => tx.query(isKept ? "COMMIT" : "ROLLBACK");

const addInTransaction: Write = async ({ add }, tx, key, isKept) => {
  await add(tx, key);
  await end(tx, isKept);
};

/** What people write without an outbox: a job for a transaction that may not commit. */
const submitFirst: Write = async ({ submit }, tx, key, isKept) => {
  await submit(key);
  await end(tx, isKept);
};

/** The other way: the process may die in between. */
const submitAfterwards: Write = async ({ submit, dies }, tx, key, isKept) => {
  await end(tx, isKept);
  if (isKept && !dies()) await submit(key);
};

interface Seen {
  readonly committed: number;
  readonly jobs: number;
  readonly lost: number;
  /** Jobs whose transaction did not commit. */
  readonly ghosts: number;
  readonly twice: number;
  readonly parked: number;
  readonly waiting: number;
  readonly faults: number;
}

function brokenIn({ lost, ghosts, twice, parked, waiting }: Seen): string[] {
  return [
    ...(lost > 0 ? [`${lost} committed rows became no job`] : []),
    ...(ghosts > 0 ? [`${ghosts} jobs are of no committed transaction`] : []),
    ...(twice > 0 ? [`${twice} rows became two jobs`] : []),
    ...(parked > 0 ? [`${parked} rows were parked without a reason`] : []),
    ...(waiting > 0 ? [`${waiting} rows still wait`] : []),
  ];
}

const CONTROL_TRIES = 4;

async function control(context: Context, protection: string, variant: Variant): Promise<Control> {
  return await untilCaught(CONTROL_TRIES, async (time) => {
    const forked = { ...context, random: context.random.fork(`${protection} ${time}`) };
    return controlOf(
      protection,
      brokenIn(await withOutbox(forked, { transactions: 300, faults: 15 }, variant)),
    );
  });
}

const RELAYS = 2;
const LANES = 12;
const ENDS_WITHIN_MS = 120_000;

async function withOutbox(context: Context, size: Size, variant: Variant): Promise<Seen> {
  const postgres = await startPostgres({ isDurable: true });
  try {
    const databaseUrl = await createDatabase(postgres.url);
    const { mutation } = variant;
    const options = { workers: 0, env: { DATABASE_URL: databaseUrl }, ...(mutation && { mutation }) };
    return await withTestbed(options, async (testbed) => {
      const pool = new pg.Pool({ connectionString: databaseUrl, max: LANES });
      pool.on("error", () => {});
      pool.on("connect", (client) => void client.on("error", () => {}));
      try {
        return await observe(context, size, { testbed, postgres, pool, variant });
      } finally {
        await pool.end();
      }
    });
  } finally {
    await postgres.stop();
  }
}

interface Bench {
  readonly testbed: Testbed;
  readonly postgres: PostgresServer;
  readonly pool: pg.Pool;
  readonly variant: Variant;
}

async function observe(context: Context, size: Size, bench: Bench): Promise<Seen> {
  const { testbed, pool } = bench;
  const { application, createProducer, outbox: own } = await testbed.installation.library();
  await pool.query(own.migration);
  await pool.query("CREATE TABLE orders (key text PRIMARY KEY)");
  const contract = application.jobs.get("alternating");
  if (contract === undefined) throw new Error("The laboratory's application has no such job");
  const producer = await createProducer(application, testbed.env);
  const relays = Array.from({ length: RELAYS }, (_, index) =>
    testbed.startRole("relay", `relay${index + 1}`),
  );
  await Promise.all(relays.map((relay) => relay.ready()));
  const of = (key: string) => [contract, { ms: 0, delayMs: 0 }, { idempotencyKey: key }] as const;
  const tools: Tools = {
    async add(tx, key) {
      const { text, values } = own.sql(...of(key));
      await tx.query(text, [...values]);
    },
    submit: (key) => producer.submit(...of(key)).catch(() => {}),
    dies: () => context.random.next() < 0.1,
  };
  try {
    await Promise.all([writeAll(context, size, bench, tools), harm(context, size.faults, bench, relays)]);
    const isOver = async () => (await patient(() => countRows(pool, "waiting"))) === 0;
    await until(isOver, { withinMs: ENDS_WITHIN_MS, everyMs: 250 });
    return { ...(await compare(bench)), faults: size.faults };
  } finally {
    await producer.stop();
  }
}

/** Whether a transaction committed is read from the database afterwards: the reply to a COMMIT can be lost. */
async function writeAll(
  { random, say }: Context,
  { transactions }: Size,
  bench: Bench,
  tools: Tools,
): Promise<void> {
  const { write = addInTransaction } = bench.variant;
  await inLanes(Array(transactions).keys(), LANES, async (index) => {
    if (index % 100 === 0) say(`${index} of ${transactions} transactions`);
    const key = `order-${index}`;
    const isKept = random.next() < 0.7;
    await sleep(random.between(0, 40)); // a random moment is the point
    const tx = await patient(() => bench.pool.connect());
    try {
      await tx.query("BEGIN");
      await tx.query("INSERT INTO orders (key) VALUES ($1)", [key]);
      await write(tools, tx, key, isKept);
      tx.release();
    } catch {
      tx.release(true); // rolled back, or its commit has no reply
    }
  });
}

/** A server that is started again does not answer at once. */
async function patient<T>(call: () => Promise<T>): Promise<T> {
  const answered = await until(
    () =>
      call()
        .then((value) => ({ value }))
        .catch(() => undefined),
    {
      withinMs: ENDS_WITHIN_MS,
    },
  );
  if (answered === undefined) throw new Error("PostgreSQL does not answer");
  return answered.value;
}

const SESSIONS =
  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast relay'";

async function harm(
  { random }: Context,
  faults: number,
  { testbed, postgres, pool }: Bench,
  relays: readonly Role[],
): Promise<void> {
  const pause = async (relay: Role) => {
    relay.signal("SIGSTOP");
    await sleep(random.between(50, 500));
    relay.signal("SIGCONT");
  };
  const kinds: readonly (() => Promise<unknown>)[] = [
    async () => random.pick(relays).signal("SIGKILL"),
    async () => random.pick(relays).signal("SIGKILL"),
    () => pause(random.pick(relays)),
    () => testbed.outages.kill(random.between(0, 300)),
    () => postgres.restart(),
    () => patient(() => pool.query(SESSIONS)),
  ];
  for (let fault = 0; fault < faults; fault += 1) {
    await sleep(random.between(10, 200));
    await random.pick(kinds)();
  }
}

async function countRows(pool: pg.Pool, state: string): Promise<number> {
  const { rows } = await pool.query("SELECT count(*)::int AS count FROM holdfast_outbox WHERE state = $1", [
    state,
  ]);
  return rows[0].count;
}

async function compare({ testbed, pool }: Bench): Promise<Omit<Seen, "faults">> {
  const { rows } = await patient(() => pool.query<{ key: string }>("SELECT key FROM orders"));
  const committed = new Set(rows.map(({ key }) => key));
  const jobs = await patiently(() => keysOfJobs(testbed.store.url));
  const distinct = new Set(jobs);
  return {
    committed: committed.size,
    jobs: jobs.length,
    lost: [...committed].filter((key) => !distinct.has(key)).length,
    ghosts: [...distinct].filter((key) => !committed.has(key)).length,
    twice: jobs.length - distinct.size,
    parked: await patient(() => countRows(pool, "parked")),
    waiting: await patient(() => countRows(pool, "waiting")),
  };
}

/** No worker runs, so every job waits. */
async function keysOfJobs(url: string): Promise<string[]> {
  const client = new Redis(url);
  try {
    const queue = "holdfast:{default}";
    const ids = await client.lrange(`${queue}:wait`, 0, -1);
    const data = await Promise.all(ids.map((id) => client.hget(`${queue}:${id}`, "data")));
    return data.map((json) => String(JSON.parse(json ?? "{}").key));
  } finally {
    client.disconnect();
  }
}

import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { Logger, makeWorkerUtils, run } from "graphile-worker";
import { outbox } from "holdfast/postgres";
import { Redis } from "ioredis";
import type pg from "pg";
import PgBoss from "pg-boss";
import { measured, STARTS } from "./application.ts";

/** A way to enqueue in a transaction, and to have what was enqueued fetched and run. */
export interface Contestant {
  readonly name: string;
  setUp(): Promise<void>;
  enqueue(tx: pg.ClientBase, n: number, committedAt?: number): Promise<unknown>;
  /** Starts what fetches and runs. @param onStart called with the job's number as its work begins; of Holdfast at latest when asked for */
  start(onStart: OnStart): Promise<Started>;
  /** Starts what takes jobs out of the database, where that is a process of its own. */
  startFetching?(): Promise<Started>;
  /** How many jobs have been fetched since the last start: of Holdfast those that Redis has on its disk. */
  fetched(): Promise<number>;
  /** How many were run. */
  completed(): Promise<number>;
}

type OnStart = (n: number, at: number) => void;
interface Started {
  stop(): Promise<void>;
}

const now = () => performance.timeOrigin + performance.now();
/** How many jobs each fetches or runs at a time. */
const AT_ONCE = 100;

export function holdfast(databaseUrl: string, redisUrl: string): Contestant {
  const client = new Redis(redisUrl, { lazyConnect: true });
  client.on("error", () => {}); // its server ends first
  const env = {
    ...process.env,
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    HOLDFAST_DATA_DIR: `${tmpdir()}/holdfast-bench-${randomUUID()}`,
    HOLDFAST_LOG_LEVEL: "error",
    HOLDFAST_CONCURRENCY: String(AT_ONCE),
    HOLDFAST_KEEP_COMPLETED: "10000000",
  };
  let [fetchedBefore, completedBefore] = [0, 0];
  const completed = () => client.zcard("holdfast:{default}:completed");
  const fetched = async () =>
    (await completed()) +
    (await client.llen("holdfast:{default}:wait")) +
    (await client.llen("holdfast:{default}:active"));
  const startRoles = async (...names: string[]) => {
    [fetchedBefore, completedBefore] = [await fetched(), await completed()];
    const roles = await Promise.all(names.map((name) => startRole(name, env)));
    return { stop: async () => void (await Promise.all(roles.map(endRole))) };
  };
  return {
    name: "Holdfast",
    setUp: async () => {},
    enqueue: (tx, n, committedAt) =>
      outbox.add(tx, measured, { n, committedAt }, { idempotencyKey: `${n}-${committedAt ?? ""}` }),
    async start(onStart) {
      const roles = await startRoles("relay", "worker");
      const poll = setInterval(async () => {
        for (const [n, at] of Object.entries(await client.hgetall(STARTS))) {
          await client.hdel(STARTS, n);
          onStart(Number(n), Number(at));
        }
      }, 5);
      return {
        async stop() {
          clearInterval(poll);
          await roles.stop();
        },
      };
    },
    startFetching: () => startRoles("relay"),
    fetched: async () => (await fetched()) - fetchedBefore,
    completed: async () => (await completed()) - completedBefore,
  };
}

async function startRole(role: string, env: NodeJS.ProcessEnv): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL("role.ts", import.meta.url)), [role], {
    env,
    execArgv: ["--import", "tsx"],
  });
  await once(child, "message");
  return child;
}

async function endRole(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "exit");
}

export function pgBoss(databaseUrl: string): Contestant {
  const boss = new PgBoss(databaseUrl);
  boss.on("error", () => {}); // its database ends first
  const queue = "measured";
  let count = 0;
  return {
    name: "pg-boss",
    async setUp() {
      await boss.start();
      await boss.createQueue(queue);
    },
    enqueue: (tx, n, committedAt) =>
      boss.send(queue, { n, committedAt }, { db: { executeSql: (text, values) => tx.query(text, values) } }),
    async start(onStart) {
      count = 0;
      let isOver = false;
      // As often as its own `work` may look at most, and at once while there is more.
      const fetching = (async () => {
        while (!isOver) {
          const jobs = await boss.fetch<{ n: number }>(queue, { batchSize: AT_ONCE });
          for (const { data } of jobs) onStart(data.n, now());
          count += jobs.length;
          if (jobs.length > 0)
            await boss.complete(
              queue,
              jobs.map(({ id }) => id),
            );
          else await new Promise((resolve) => setTimeout(resolve, 500));
        }
      })();
      return {
        async stop() {
          isOver = true;
          await fetching;
        },
      };
    },
    fetched: async () => count,
    completed: async () => count,
  };
}

export function graphileWorker(databaseUrl: string): Contestant {
  let count = 0;
  return {
    name: "graphile-worker",
    async setUp() {
      const utils = await makeWorkerUtils({ connectionString: databaseUrl });
      await utils.migrate();
      await utils.release();
    },
    enqueue: (tx, n, committedAt) =>
      tx.query("SELECT graphile_worker.add_job('measured', $1::json)", [JSON.stringify({ n, committedAt })]),
    async start(onStart) {
      count = 0;
      const runner = await run({
        connectionString: databaseUrl,
        concurrency: AT_ONCE,
        maxPoolSize: 10,
        noHandleSignals: true,
        logger: new Logger(() => () => {}),
        taskList: {
          measured: async (payload) => {
            count += 1;
            onStart((payload as { n: number }).n, now());
          },
        },
      });
      return runner;
    },
    fetched: async () => count,
    completed: async () => count,
  };
}

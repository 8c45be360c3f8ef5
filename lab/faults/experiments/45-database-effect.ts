import { setTimeout as sleep } from "node:timers/promises";
import { databaseEffectSql } from "holdfast/postgres";
import pg from "pg";
import { createDatabase, type PostgresServer, startPostgres } from "../../../test/support/postgres.ts";
import { inLanes } from "../../lib/waiting.ts";
import { noCounts } from "../lib/checker.ts";
import type { Submission } from "../lib/client.ts";
import { type Context, type Control, controlOf, type Experiment, untilCaught } from "../lib/experiment.ts";
import {
  type CommitPoint,
  commitPoints,
  type InjectionPoint,
  injectionPoints,
} from "../lib/inside/points.ts";
import type { Mutation } from "../lib/installation.ts";
import { withoutOneTransaction } from "../lib/mutations.ts";
import { allEnded, type Testbed, untilEnded, withTestbed } from "../lib/testbed.ts";
import { withOperator } from "../lib/with-operator.ts";

type Point = InjectionPoint | CommitPoint;

export const databaseEffect: Experiment = {
  number: 45,
  title: "An effect in the database's own transaction",
  fault: "SIGKILL of the worker, or of PostgreSQL, at each point of the effect and around its commit",
  mustHold: "each row is written exactly once, nothing is in doubt in the end, and no job waits for a person",
  async run(context) {
    const seen = await killAtEachPoint(context, context.isQuick ? quick : full);
    context.say("control");
    const { jobs, missing, repeats, inDoubt, failed, notEnded, doubts, deaths, kills } = seen;
    return {
      counts: {
        ...noCounts,
        acknowledged: jobs,
        repeated: repeats,
        falselyDone: missing,
        failed,
        notEnded,
        stuck: doubts,
        faults: deaths + kills,
      },
      table: {
        head: [
          "jobs",
          "workers killed",
          "PostgreSQL killed",
          "written once",
          "in doubt",
          "waiting for a person",
        ],
        rows: [[jobs, deaths, kills, jobs - missing - repeats, doubts, inDoubt]],
      },
      measured: [`${deaths + kills} kills; ${missing} rows missing, ${repeats} written twice`],
      broken: [
        ...brokenBy(seen),
        ...(missing > 0 ? [`${missing} jobs completed without their row`] : []),
        ...(inDoubt + doubts > 0
          ? [`${inDoubt} jobs wait for a person, ${doubts} effects are in doubt`]
          : []),
        ...(failed + notEnded > 0 ? [`${failed} jobs failed, ${notEnded} did not end`] : []),
      ],
      controls: [await oneTransactionControl(context)],
    };
  },
};

interface Plan {
  readonly points: readonly Point[];
  /** Jobs for each point, by what is killed. */
  readonly times: { readonly worker: number; readonly database: number };
  readonly workers: number;
}

const quick: Plan = {
  points: ["effect:begun", "effect:recorded", ...commitPoints, "commit:before"],
  times: { worker: 1, database: 1 },
  workers: 3,
};
/** A thousand kills. */
const full: Plan = {
  points: [...injectionPoints, ...commitPoints],
  times: { worker: 75, database: 25 },
  workers: 6,
};
const controlled: Plan = {
  points: ["database:committed"],
  times: { worker: 3, database: 0 },
  workers: 2,
};

interface Seen {
  readonly jobs: number;
  /** Completed jobs without their row. */
  readonly missing: number;
  /** Jobs whose row was written more than once. */
  readonly repeats: number;
  /** Jobs that wait for a person. */
  readonly inDoubt: number;
  readonly failed: number;
  readonly notEnded: number;
  /** Effects in doubt. */
  readonly doubts: number;
  readonly deaths: number;
  readonly kills: number;
}

const CONTROL_TRIES = 3;

async function oneTransactionControl(context: Context): Promise<Control> {
  return await untilCaught(CONTROL_TRIES, async () => {
    return controlOf(
      withoutOneTransaction.name,
      brokenBy(await killAtEachPoint(context, controlled, withoutOneTransaction)),
    );
  });
}

function brokenBy({ repeats }: Seen): string[] {
  return repeats > 0 ? [`${repeats} rows were written twice`] : [];
}

const LANES_PER_WORKER = 6;
const ENDS_WITHIN_MS = 120_000;
/** How long PostgreSQL stays down. */
const DOWN_MS = [0, 500] as const;

async function killAtEachPoint(context: Context, plan: Plan, mutation?: Mutation): Promise<Seen> {
  const server = await startPostgres({ isDurable: true });
  try {
    const url = await createDatabase(server.url);
    await onDatabase(url, (client) =>
      client.query(`${databaseEffectSql()} create table invoices (key text not null)`),
    );
    return await onTestbed(context, plan, { server, url, mutation });
  } finally {
    await server.stop();
  }
}

interface Under {
  readonly server: PostgresServer;
  readonly url: string;
  readonly mutation: Mutation | undefined;
}

async function onTestbed(context: Context, plan: Plan, { server, url, mutation }: Under): Promise<Seen> {
  let kills = 0;
  let outages = Promise.resolve();
  const outage = async (onInjected: () => void) => {
    await server.kill();
    kills += 1;
    onInjected();
    await sleep(context.random.between(...DOWN_MS));
    await server.restart();
  };
  // One after the other: two could start a server each on the same files.
  const inject = (_: unknown, onInjected: () => void) => {
    outages = outages.then(() => outage(onInjected));
    return outages;
  };
  const options = { workers: plan.workers, concurrency: 4, env: { LAB_DATABASE: url }, inject };
  return await withTestbed({ ...options, ...(mutation && { mutation }) }, async (testbed) => {
    const jobs = jobsOf(plan);
    await inLanes(jobs, plan.workers * LANES_PER_WORKER, async (job) => {
      const accepted = await testbed.client.submit(job);
      context.say(
        `${testbed.client.acknowledged.length} of ${jobs.length} jobs, ${testbed.deaths.length + kills} kills`,
      );
      await untilEnded(testbed, accepted?.id, ENDS_WITHIN_MS);
    });
    const notEnded = (await allEnded(testbed, ENDS_WITHIN_MS)).size;
    // A job whose work is committed can end while PostgreSQL is away.
    await outages;
    return { ...(await judge(testbed, url)), notEnded, deaths: testbed.deaths.length, kills };
  });
}

/** Round by round, so that the rarer kind comes first, beside the other. */
function jobsOf({ points, times }: Plan): Submission[] {
  const rounds = Array.from({ length: Math.max(times.worker, times.database) }, (_, round) => round);
  return rounds.flatMap((round) => [
    ...(round < times.worker ? points.map((at) => jobOf({ at, how: "kill" }, round)) : []),
    ...(round < times.database ? points.map((at) => jobOf({ at, how: "store" }, round)) : []),
  ]);
}

function jobOf(inject: { at: Point; how: "kill" | "store" }, round: number): Submission {
  const idempotencyKey = `${inject.at}-${inject.how}-${round}`;
  return { type: "invoice", idempotencyKey, payload: { inject } };
}

async function judge(testbed: Testbed, url: string): Promise<Omit<Seen, "notEnded" | "deaths" | "kills">> {
  const written = new Map<string, number>();
  const { rows } = await onDatabase(url, (client) =>
    client.query<{ key: string; times: number }>(
      "select key, count(*)::int as times from invoices group by key",
    ),
  );
  for (const { key, times } of rows) written.set(key, times);
  let [missing, inDoubt, failed] = [0, 0, 0];
  await inLanes(testbed.client.acknowledged, 32, async ({ key, id }) => {
    const status = await testbed.client.status(id);
    if (status?.state === "completed" && !written.has(key)) missing += 1;
    if (status?.state !== "failed") return;
    if (status.error?.code === "EFFECT_IN_DOUBT") inDoubt += 1;
    else failed += 1;
  });
  const doubts = await withOperator(testbed, (operator) => operator.doubts(0, 1_000));
  return {
    jobs: testbed.client.acknowledged.length,
    missing,
    repeats: rows.filter(({ times }) => times > 1).length,
    inDoubt,
    failed,
    doubts: doubts.length,
  };
}

async function onDatabase<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

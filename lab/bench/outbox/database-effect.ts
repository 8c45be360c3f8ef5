import { randomUUID } from "node:crypto";
import { databaseEffectSql, fromPg } from "holdfast/postgres";
import pg from "pg";
import { claim, finish } from "../../../src/postgres/effects-table.ts";

const INSERT = "INSERT INTO orders (n) VALUES (1)";
const ROUNDS = 5;
const TRANSACTIONS = 2_000;

/** What a database effect costs: a transaction of one insert, with the effect's row and without. */
export interface EffectCost {
  /** Transactions at a time. */
  readonly lanes: number;
  /** Medians, in microseconds for a transaction. */
  readonly plainUs: number;
  readonly effectUs: number;
  /** The median of each round's ratio. */
  readonly ratio: number;
}

/** @param databaseUrl of a database with a table `orders (n int)` */
export async function measureDatabaseEffect(
  databaseUrl: string,
): Promise<{ readonly costs: readonly EffectCost[]; readonly bytesPerRow: number }> {
  const lanes = [1, 8];
  const pool = new pg.Pool({ connectionString: databaseUrl, max: Math.max(...lanes) });
  await pool.query(databaseEffectSql());
  const database = fromPg(pool);
  const plain = () => database.transaction((tx) => tx.query(INSERT));
  let fence = Date.now();
  const withEffect = () =>
    database.transaction(async (tx) => {
      fence += 1;
      const key = randomUUID();
      const known = await claim(database, tx, { key, fence }, "begun");
      if (known.state !== "claimed") throw new Error(known.state);
      await tx.query(INSERT);
      await finish(database, tx, known.schema, key, "null");
    });
  const costs: EffectCost[] = [];
  for (const count of lanes) costs.push(await compare(plain, withEffect, count));
  const { rows } = await pool.query<{ bytes: number }>(
    "SELECT (pg_total_relation_size('holdfast_effects') / count(*))::int AS bytes FROM holdfast_effects",
  );
  await pool.end();
  return { costs, bytesPerRow: rows[0]?.bytes ?? Number.NaN };
}

type Transaction = () => Promise<unknown>;

async function compare(plain: Transaction, withEffect: Transaction, lanes: number): Promise<EffectCost> {
  await timed(plain, lanes); // warms up
  const rounds: { plainUs: number; effectUs: number }[] = [];
  for (let round = 0; round < ROUNDS; round += 1)
    rounds.push({ plainUs: await timed(plain, lanes), effectUs: await timed(withEffect, lanes) });
  return {
    lanes,
    plainUs: median(rounds.map(({ plainUs }) => plainUs)),
    effectUs: median(rounds.map(({ effectUs }) => effectUs)),
    ratio: median(rounds.map(({ plainUs, effectUs }) => effectUs / plainUs)),
  };
}

/** @returns microseconds for a transaction */
async function timed(transaction: Transaction, lanes: number): Promise<number> {
  const begun = performance.now();
  let left = TRANSACTIONS;
  const lane = async () => {
    for (; left > 0; left -= 1) await transaction();
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return ((performance.now() - begun) * 1_000) / TRANSACTIONS;
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

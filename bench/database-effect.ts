// What a database effect costs PostgreSQL: a transaction of one insert, with the effect's row and without.
// node --conditions=holdfast-source --import tsx bench/database-effect.ts
import { randomUUID } from "node:crypto";
import { databaseEffectSql, fromPg } from "holdfast/postgres";
import pg from "pg";
import { claim, finish } from "../src/postgres/effects-table.ts";
import { runCommand, say } from "../test/support/command.ts";
import { createDatabase, startPostgres } from "../test/support/postgres.ts";

const INSERT = "insert into orders (customer) values ('Anoop')";
const ROUNDS = 5;
const TRANSACTIONS = 2_000;
const LANES = [1, 8];

await runCommand("Usage: node bench/database-effect.ts", {}, async () => {
  const server = await startPostgres({ isDurable: true });
  const pool = new pg.Pool({ connectionString: await createDatabase(server.url), max: Math.max(...LANES) });
  await pool.query(`${databaseEffectSql()} create table orders (customer text)`);
  const database = fromPg(pool);
  const plain = () => database.transaction((tx) => tx.query(INSERT));
  let fence = Date.now();
  const guarded = () =>
    database.transaction(async (tx) => {
      fence += 1;
      const key = randomUUID();
      await claim(database, tx, { key, fence }, "begun");
      await tx.query(INSERT);
      await finish(database, tx, key, "null");
    });
  for (const lanes of LANES) {
    await timed(plain, lanes); // warms up
    const ratios: number[] = [];
    const times = { plain: [] as number[], guarded: [] as number[] };
    for (let round = 0; round < ROUNDS; round += 1) {
      times.plain.push(await timed(plain, lanes));
      times.guarded.push(await timed(guarded, lanes));
      ratios.push((times.guarded.at(-1) ?? 0) / (times.plain.at(-1) ?? 1));
    }
    const [without, withRow] = [median(times.plain), median(times.guarded)];
    say(
      `${lanes} at a time: ${without.toFixed(0)} µs without, ${withRow.toFixed(0)} µs with, × ${median(ratios).toFixed(2)}`,
    );
  }
  const { rows } = await pool.query(
    "select pg_total_relation_size('holdfast_effects') / count(*) as bytes from holdfast_effects",
  );
  say(`${rows[0].bytes} bytes for each row, indexes included`);
  await pool.end();
  await server.stop();
  return 0;
});

/** @returns microseconds for each transaction */
async function timed(transaction: () => Promise<unknown>, lanes: number): Promise<number> {
  const begun = performance.now();
  let left = TRANSACTIONS;
  const lane = async () => {
    for (; left > 0; left -= 1) await transaction();
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return ((performance.now() - begun) * 1_000) / TRANSACTIONS;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

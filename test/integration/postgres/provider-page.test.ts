import { runHandler } from "holdfast/testing";
import { expect, inject, it, onTestFinished } from "vitest";
import { bookPaymentHandler, openPool } from "../../../examples/providers/postgresql.ts";
import { createDatabase } from "../../support/postgres.ts";

it("calls a refused statement not done although its pool is busy, as the page of PostgreSQL has it", async () => {
  const pool = openPool({ connectionString: await createDatabase(inject("postgresUrl")), max: 2 });
  onTestFinished(() => pool.end());
  await pool.query(`create table bookings (id bigserial primary key, effect text not null unique, account text not null,
    cents bigint not null check (cents > 0))`);
  const handler = bookPaymentHandler(pool);

  const runs = Array.from({ length: 24 }, (_, at) =>
    runHandler(handler, { account: "a", cents: at % 3 === 0 ? -1 : 1 }, { idempotencyKey: `payment-${at}` }),
  );
  const states = (await Promise.all(runs)).map(({ effects }) => effects[0]?.state);

  expect(states).toEqual(Array.from({ length: 24 }, (_, at) => (at % 3 === 0 ? "not-done" : "done")));
});

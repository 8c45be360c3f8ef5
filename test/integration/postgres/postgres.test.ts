import pg from "pg";
import { expect, inject, test } from "vitest";
import { createDatabase, startPostgres } from "../../support/postgres.ts";

test("A test's PostgreSQL keeps what was committed when it is killed, and loses what was not", async () => {
  const server = await startPostgres({ isDurable: true });
  try {
    const url = await createDatabase(server.url);
    const client = await connect(url);
    await client.query("create table kept (id int)");
    await client.query("insert into kept values (1)");
    await client.query("begin; insert into kept values (2)");
    await server.restart();

    const again = await connect(url);
    expect((await again.query("select id from kept")).rows).toEqual([{ id: 1 }]);
    expect((await again.query("show fsync")).rows).toEqual([{ fsync: "on" }]);
    await again.end();
  } finally {
    await server.stop();
  }
});

test("The run's PostgreSQL gives each test a database of its own", async () => {
  const [one, other] = await Promise.all([
    createDatabase(inject("postgresUrl")),
    createDatabase(inject("postgresUrl")),
  ]);
  const client = await connect(one);
  await client.query("create table here (id int)");
  await client.end();
  const elsewhere = await connect(other);
  await expect(elsewhere.query("select from here")).rejects.toThrow('relation "here" does not exist');
  await elsewhere.end();
});

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client(url);
  client.on("error", () => {}); // the server is killed under it
  await client.connect();
  return client;
}

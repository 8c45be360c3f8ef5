import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { fromPg } from "holdfast/postgres";
import pg from "pg";
import { afterAll, beforeAll, expect, inject, it, onTestFinished } from "vitest";
import { type PostgresServer, startPostgres } from "../../support/postgres.ts";
import { withProcesses } from "../../support/processes.ts";

const PROGRAM = fileURLToPath(new URL("../../support/fixtures/holds-transactions.ts", import.meta.url));

/** As an orderly shutdown does it. */
async function endSessions(url: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
  );
  await client.end();
}

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server?.stop());

it.each([
  "pg",
  "postgres",
  "drizzle over pg",
  "drizzle over postgres",
  "kysely",
  "knex",
  "prisma",
  "typeorm",
  "mikro-orm",
])(
  "A process that is in a transaction of %s outlives the end of its session, and a restart of PostgreSQL",
  withProcesses,
  async (library) => {
    const child = spawn(process.execPath, ["--import", "tsx", PROGRAM, library, server.url]);
    onTestFinished(() => void child.kill("SIGKILL"));
    const exited = once(child, "exit");
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const said: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      const [, text] = line.split("said: ");
      if (text !== undefined) said.push(text);
      if (text !== "held") continue;
      await (said.length === 1 ? endSessions(server.url) : server.restart());
      child.stdin.write("go on\n");
    }
    const [code] = await exited;
    expect({ said, code }, stderr).toEqual({
      said: ["held", "failed 1", "held", "failed 2", "works again"],
      code: 0,
    });
  },
);

const READY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);
/** An error of PostgreSQL: its session is ended. */
const ENDED = Buffer.concat([Buffer.from([0x45, 0, 0, 0, 24]), Buffer.from("SFATAL\0C57P01\0Mend\0\0\0")]);

/** PostgreSQL, whose sessions end in the packet in which they become ready. */
async function startEndingProxy(url: string): Promise<string> {
  const { port, hostname } = new URL(url);
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    client.on("error", () => {}).on("data", (bytes) => upstream.write(bytes));
    upstream
      .on("error", () => {})
      .on("data", (bytes) => {
        const isReady = bytes.subarray(-READY.length).equals(READY);
        if (isReady) client.end(Buffer.concat([bytes, ENDED]));
        else client.write(bytes);
      });
    client.on("close", () => upstream.destroy());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  return Object.assign(new URL(url), { host: `127.0.0.1:${(server.address() as AddressInfo).port}` }).href;
}

it("A session of pg that ends as it becomes ready fails its transaction, and ends no process", async () => {
  const pool = new pg.Pool({ connectionString: await startEndingProxy(inject("postgresUrl")) });
  pool.on("error", () => {});
  onTestFinished(() => pool.end());

  await expect(fromPg(pool).transaction(async () => {})).rejects.toThrow();
});

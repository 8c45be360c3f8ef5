import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { expect, it, onTestFinished } from "vitest";
import { startPostgres } from "../../support/postgres.ts";
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
    const server = await startPostgres();
    onTestFinished(server.stop);
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

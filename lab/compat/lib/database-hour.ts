import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { tsconfig } from "../../../src/edges/cli/init/templates.ts";
import { createDatabase, startPostgres } from "../../../test/support/postgres.ts";
import { until } from "../../../test/support/until.ts";
import { startScript, timed } from "./first-hour.ts";
import { must, newFolder, writeProject } from "./folder.ts";

const JOB_MS = 30_000;
const APP_URL = "http://127.0.0.1";
const quiet = ["--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"];

/**
 * Does what somebody does who has an application of Express and Drizzle: its orders submit jobs in their own transactions, and the job
 * writes to the same database, exactly once.
 *
 * @returns seconds of each step
 * @throws Error at the first step that fails
 */
export async function passDatabaseHour(tarball: string) {
  const folder = newFolder("database-hour");
  const server = await startPostgres();
  try {
    const url = await createDatabase(server.url);
    await prepare(folder, url);
    const env = { DATABASE_URL: url };
    const init = await timed(() =>
      must(folder, "npm", ["exec", "--yes", `--package=${tarball}`, "--", "holdfast", "init"]),
    );
    const install = await timed(() => must(folder, "npm", ["install", ...quiet, tarball]));
    const tables = await timed(async () => {
      await must(folder, "npx", ["holdfast", "outbox", "init", "--apply"], { env });
      await must(folder, "node", ["--input-type=module", "--eval", makeTables], { env });
    });
    writeFiles(folder, after);
    askByProbe(join(folder, "src/jobs/greeting/contract.ts"));
    const check = await timed(() => must(folder, "npx", ["tsc", "--noEmit"]));
    return { init, install, tables, check, ...(await useIt(folder, url)) };
  } finally {
    await server.stop();
  }
}

async function useIt(folder: string, url: string) {
  const service = startScript(folder, "jobs:dev", { DATABASE_URL: url });
  const application = startScript(folder, "start", { DATABASE_URL: url });
  const database = new pg.Pool({ connectionString: url });
  const countOf = async (from: string) => (await database.query(`SELECT FROM ${from}`)).rowCount;
  try {
    const dev = await timed(() => service.untilPrinted(/Ctrl-C stops/));
    await application.untilPrinted(/Listening on (\d+)/);
    const [, port] = /Listening on (\d+)/.exec(application.printed.text) ?? [];
    const post = (customer: string) =>
      fetch(`${APP_URL}:${port}/orders`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ customer }),
      });
    const order = await timed(async () => {
      await expectStatus(await post("Ada"), 201);
      await until("the job's own row", async () => (await countOf("greetings")) === 1, JOB_MS);
    });
    const rolledBack = await timed(async () => {
      await expectStatus(await post("nobody"), 500);
      if ((await countOf("orders")) !== 1 || (await countOf("holdfast_outbox")) !== 0)
        throw new Error("an order that was rolled back left something");
    });
    await service.stop();
    const test = await timed(() =>
      must(folder, "npm", ["run", "jobs:test"], { env: { DATABASE_URL: url }, ms: 180_000 }),
    );
    return { dev, order, "rolled back": rolledBack, test };
  } finally {
    await database.end();
    await application.stop();
    await service.stop();
  }
}

async function expectStatus(answer: Response, status: number): Promise<void> {
  if (answer.status !== status) throw new Error(`answered ${answer.status}: ${await answer.text()}`);
}

/** What was there before. */
async function prepare(folder: string, url: string): Promise<void> {
  writeProject(folder, { scripts: { start: "node --import tsx src/server.ts" } });
  writeFiles(folder, before);
  const packages = ["express@^5", "drizzle-orm", "pg", "zod"];
  const tools = ["tsx", "typescript@6", "@types/express", "@types/pg", "@types/node@20"];
  await must(folder, "npm", ["install", ...quiet, ...packages]);
  await must(folder, "npm", ["install", ...quiet, "--save-dev", ...tools]);
  const database = new pg.Client(url);
  await database.connect();
  await database.query("CREATE TABLE orders (id serial PRIMARY KEY, customer text NOT NULL)");
  await database.end();
}

/** `init` writes the policy that needs no probe. */
function askByProbe(contract: string): void {
  const old = readFileSync(contract, "utf8");
  const changed = old.replace('inDoubt: "hold"', 'inDoubt: "probe"');
  if (changed === old) throw new Error(`${contract}: has no policy to change`);
  writeFileSync(contract, changed);
}

function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

const server = (handler: string) => `import express from "express";
${handler.includes("outbox") ? `import { outbox } from "holdfast/postgres";\n` : ""}import { db, orders } from "./db.js";
${handler.includes("outbox") ? `import { greeting } from "./jobs/greeting/contract.js";\n` : ""}
const app = express();
app.use(express.json());
app.post("/orders", async (request, response) => {
${handler}  response.status(201).end();
});
const server = app.listen(0, () => {
  const address = server.address();
  console.log(\`Listening on \${typeof address === "object" ? address?.port : ""}\`);
});
`;

const before = {
  "tsconfig.json": tsconfig,
  "src/db.ts": `import { drizzle } from "drizzle-orm/node-postgres";
import { pgTable, serial, text } from "drizzle-orm/pg-core";
import pg from "pg";

export const db = drizzle(new pg.Pool({ connectionString: process.env.DATABASE_URL }));
export const orders = pgTable("orders", { id: serial().primaryKey(), customer: text().notNull() });
export const greetings = pgTable("greetings", { id: serial().primaryKey(), greeting: text().notNull() });
`,
  "src/server.ts": server(`  await db.insert(orders).values({ customer: request.body.customer });\n`),
};

/** The table of database effects, and the job's own. */
const makeTables = `
import { databaseEffectSql } from "holdfast/postgres";
import pg from "pg";
const client = new pg.Client(process.env.DATABASE_URL);
await client.connect();
await client.query(databaseEffectSql());
await client.query("CREATE TABLE greetings (id serial PRIMARY KEY, greeting text NOT NULL)");
await client.end();
`;

/** What the newcomer writes anew: the route and the handler. */
const after = {
  "src/server.ts": server(`  await db.transaction(async (tx) => {
    const [order] = await tx.insert(orders).values({ customer: request.body.customer }).returning();
    const name = order?.customer ?? "";
    await outbox.add(tx, greeting, { name }, { idempotencyKey: \`greeting-\${order?.id}\` });
    if (name === "nobody") throw new Error("this customer cannot order");
  });
`),
  "src/jobs/greeting/handler.ts": `import { sql } from "drizzle-orm";
import { readEnv } from "holdfast";
import { databaseEffect, fromDrizzle } from "holdfast/postgres";
import { db, greetings } from "../../db.js";
import { env } from "../env.js";
import { greeting } from "./contract.js";

const database = fromDrizzle(db, sql);

export const greetingHandler = greeting.handler(async ({ payload, effect }) => {
  const text = \`\${readEnv(env).GREETING}, \${payload.name}!\`;
  await databaseEffect(effect, database, "greet", async (tx) => {
    await tx.insert(greetings).values({ greeting: text });
  });
  return { greeting: text };
});
`,
};

import postgres from "postgres";
import { sql as evidence } from "../inside/evidence.ts";
import type { Calls, Target } from "./call.ts";

async function send({ host, port, timeoutMs, ask }: Target): Promise<unknown> {
  const login = { user: "truth", password: "truth", database: "truth" };
  const sql = postgres({ host, port, ...login, connect_timeout: timeoutMs / 1_000, onnotice() {} });
  const name = `row-${port}`;
  try {
    if (ask === "refused") return await sql`insert into orders (name, cents) values (${name}, null)`;
    const insert = (on: postgres.ISql) =>
      on<{ id: number }[]>`insert into orders (name, cents) values (${name}, 1) returning id`;
    const [made] = ask === "transaction" ? await sql.begin((begun) => insert(begun)) : await insert(sql);
    return made?.id;
  } finally {
    void sql.end({ timeout: 0 });
  }
}

export const calls: Calls = { asIs: send, asDocumented: send, classify: evidence };

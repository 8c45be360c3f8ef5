import { createPool, type Pool } from "mysql2/promise";
import { sql } from "../inside/evidence.ts";
import type { Calls, Target } from "./call.ts";
import { Kept } from "./kept.ts";
import { insert } from "./mysql2.ts";

const kept = new Kept<Pool>();

/** Its one connection is shared: a statement waits until another one's has ended. */
function open({ host, port, timeoutMs }: Target): Pool {
  const login = { user: "truth", password: "truth", database: "truth" };
  return createPool({ host, port, ...login, connectTimeout: timeoutMs, connectionLimit: 1 });
}

function send(target: Target): Promise<unknown> {
  return insert(
    kept.of(target.port, () => open(target)),
    target,
  );
}

async function occupy(target: Target): Promise<unknown> {
  const pool = kept.keep(target.port, open(target));
  await pool.query("select 1");
  pool.query("select sleep(0.3)").catch(() => {});
  return pool;
}

export const calls: Calls = { asIs: send, asDocumented: send, warmUp: occupy, classify: sql };

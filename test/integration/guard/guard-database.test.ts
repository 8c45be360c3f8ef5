import { createGuard, defineEffect } from "holdfast/guard";
import { databaseEffect, databaseEffectSql, fromPg } from "holdfast/postgres";
import pg from "pg";
import { expect, inject, it, onTestFinished } from "vitest";
import { startCommitProxy } from "../../support/commit-proxy.ts";
import { createDatabase } from "../../support/postgres.ts";
import { testEnvironment } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const invoice = defineEffect({ name: "invoice", timeoutMs: 2_000, inDoubt: "probe" });

it.each(["before the commit", "after the commit"] as const)(
  "a database effect in a guard is written exactly once: connection lost %s",
  async (when) => {
    const proxy = await startCommitProxy(await createDatabase(inject("postgresUrl")));
    const pool = new pg.Pool({ connectionString: proxy.url }).on("error", () => {});
    onTestFinished(() => pool.end());
    await pool.query(`${databaseEffectSql()}; create table invoices (customer text not null)`);
    const database = fromPg(pool);
    const guard = await createGuard({ effects: [invoice], env: testEnvironment() });
    onTestFinished(() => guard.stop());
    const write = () =>
      databaseEffect(guard.effectsOf({ key: "order-1" }), database, "invoice", async (tx) => {
        await tx.query("insert into invoices (customer) values ('ann')");
        return 7;
      });

    proxy.breakNext(when);
    await expect(write()).rejects.toMatchObject({ code: "IN_DOUBT" });
    expect(await until("the database has answered", () => write().catch(() => undefined))).toBe(7);
    expect(await write()).toBe(7);
    expect((await pool.query("select * from invoices")).rows).toHaveLength(1);
  },
);

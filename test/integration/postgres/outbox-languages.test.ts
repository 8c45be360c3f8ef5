import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import { defineConfig } from "holdfast";
import { describe, expect, it } from "vitest";
import { ordersTable, sendReceipt } from "../../../examples/outbox/order.ts";
import { anyJob } from "../../support/application.ts";
import { createOutboxService, type OutboxService } from "../../support/outbox.ts";
import { runPsql } from "../../support/postgres.ts";
import { until } from "../../support/until.ts";

const note = anyJob({ type: "note" });
const application = defineConfig({ jobs: [note, sendReceipt], handlers: async () => [] });
const odd = "it's $1 ? \\ %s :name “x”";

const untilEmpty = (service: OutboxService) =>
  until("the outbox is empty", async () => (await service.rows()).length === 0);

/** A program's PATH may begin with a Python of another make than the driver's. */
const python = ["python3", "/usr/bin/python3"].find(
  (program) => spawnSync(program, ["-c", "import psycopg2"]).status === 0,
);
if (python === undefined)
  console.warn("Python's driver psycopg2 is not installed: examples/outbox/place_order.py is not run.");

describe("a row that another language adds", () => {
  it("is a job with its payload and options, from psql, by the documented columns alone", async () => {
    const service = await createOutboxService(application);
    await service.startRelay();
    const payload = { name: odd, list: [1.5, null, true] };
    const row = (key: string) =>
      `INSERT INTO holdfast_outbox (type, payload, idempotency_key, options, ordering_key)
        VALUES ('note', :'payload', '${key}', '{"priority": 3}', NULL);`;

    await runPsql(service.databaseUrl, `BEGIN; ${row("undone")} ROLLBACK; BEGIN; ${row("kept")} COMMIT;`, {
      payload: JSON.stringify(payload),
    });
    await untilEmpty(service);

    const [job, ...others] = await service.openBareQueue().getJobs("prioritized");
    expect(job?.data).toMatchObject({ key: "kept", payload });
    expect([job?.priority, others]).toEqual([3, []]);
  });

  it.each(python === undefined ? [] : [python])(
    "is a job if its transaction commits, from Python (%s)",
    async (program) => {
      const service = await createOutboxService(application);
      await service.pool.query(ordersTable);
      await service.startRelay();
      const place = (...order: readonly string[]) =>
        promisify(execFile)(program, ["examples/outbox/place_order.py", service.databaseUrl, ...order]);

      await place("1", odd);
      await expect(place("1", "at the commit")).rejects.toThrow("duplicate key");
      await place("2", odd);
      await untilEmpty(service);

      const jobs = await service.openBareQueue().getJobs("waiting", 0, -1, true);
      expect(jobs.map(({ data }) => data)).toMatchObject([
        { key: "receipt-1", payload: { orderId: 1, customer: odd } },
        { key: "receipt-2", payload: { orderId: 2, customer: odd } },
      ]);
    },
  );
});

import { defineJob } from "holdfast";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { dedupKeyOf } from "../../../src/core/job/dedup-key.ts";
import { post } from "../../support/http.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const RETENTION_MS = 2_000;
const LONG_RETENTION_MS = 8_000;

const payload = z.enum(["fail", "doubt", "return"]);
const job = defineJob({
  type: "charging",
  payload,
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 10_000,
  effects: { charge: { timeoutMs: 5_000, inDoubt: "hold" } },
});

/** A service whose jobs charge, and then fail, are in doubt, or fail until they are healed. */
async function start(retentionMs = RETENTION_MS) {
  const charged: string[] = [];
  let isHealed = false;
  const handler = job.handler(async ({ effect, payload: end, idempotencyKey }) => {
    await effect("charge", async () => {
      charged.push(idempotencyKey);
      if (end === "doubt" && !isHealed) throw Object.assign(new Error("lost"), { code: "ECONNRESET" });
    });
    if (end === "fail" && !isHealed) throw new Error("after the charge");
  });
  const retention = { HOLDFAST_RETENTION_MS: String(retentionMs), HOLDFAST_LOCK_MS: "1000" };
  const service = createService(applicationOf(handler), retention);
  const producer = await service.createProducer();
  const { url } = await service.startApi();
  const keys = queueKeys(service.env.HOLDFAST_PREFIX, "default");
  return {
    service,
    producer,
    redis: service.connect(),
    keys,
    charged,
    heal: () => {
      isHealed = true;
    },
    submit: async (end: z.output<typeof payload>, key: string) =>
      (await producer.submit(job, end, { idempotencyKey: key })).id,
    ledger: (key: string) => keys.ledger(dedupKeyOf("charging", key)),
    retry: async (id: string) => await post(`${url}/jobs/${id}/retry`, {}),
    resolve: async (id: string, as: "done" | "not-done") =>
      await post(`${url}/jobs/${id}/effects/charge/resolve`, { as, evidence: "a test" }),
  };
}

/** Waits until this much time has gone by on Redis's clock. */
async function passes(redis: Awaited<ReturnType<typeof start>>["redis"], ms: number): Promise<void> {
  const now = async () => Number((await redis.time())[0]) * 1_000;
  const from = await now();
  await until(`${ms} ms have passed`, async () => (await now()) > from + ms);
}

describe.concurrent("a failed job and what is known of its effects", () => {
  it("end together, also where no other job ends", async () => {
    const { service, producer, redis, submit, ledger } = await start();
    await service.startWorker();
    const id = await submit("fail", "k");
    await untilState(producer, id, "failed");

    await until("the job is gone", async () => {
      const status = await producer.status(id);
      // While it is listed, its effects are known.
      if (status !== undefined) expect(status.effects).toMatchObject([{ name: "charge", state: "done" }]);
      return status === undefined;
    });
    await until("its ledger is gone", async () => (await redis.exists(ledger("k"))) === 0, 5_000);
  });

  it("outlive the retention together while no worker runs, and the effect is not repeated", async () => {
    const { service, producer, redis, keys, charged, heal, submit, ledger, retry } =
      await start(LONG_RETENTION_MS);
    const worker = await service.startWorker();
    const id = await submit("fail", "k");
    await untilState(producer, id, "failed");
    // The sweep has seen its end, long before it would delete the job.
    await until("the sweep has looked at it", async () => {
      return (await redis.zcard(keys.joinedJobs)) > 0 || (await redis.pttl(ledger("k"))) > 0;
    });
    await worker.stop();
    await passes(redis, LONG_RETENTION_MS + 1_000);

    expect((await retry(id)).status).toBe(200);
    heal();
    await service.startWorker();
    await untilState(producer, id, "completed");
    expect(charged).toEqual(["k"]);
  });

  it("are kept together while its effect is in doubt, and do not keep others", async () => {
    const { service, producer, redis, charged, heal, submit, resolve } = await start();
    await service.startWorker();
    const doubted = await submit("doubt", "doubted");
    await untilState(producer, doubted, "failed");
    const other = await submit("fail", "other");
    const completed = await submit("return", "completed");
    await until("the others are gone", async () => {
      const left = await Promise.all([other, completed].map(producer.status));
      return left.every((status) => status === undefined);
    });
    await passes(redis, RETENTION_MS);

    expect(await producer.status(doubted)).toMatchObject({ effects: [{ state: "in-doubt" }] });
    heal();
    expect(await resolve(doubted, "done")).toMatchObject({ status: 200, body: { job: "retried" } });
    await untilState(producer, doubted, "completed");
    expect(charged.filter((key) => key === "doubted")).toHaveLength(1);
  });
});

describe.concurrent("a job whose ledger is gone", () => {
  async function forgotten() {
    const parts = await start(3_600_000);
    await parts.service.startWorker();
    const id = await parts.submit("fail", "k");
    await untilState(parts.producer, id, "failed");
    await parts.redis.del(parts.ledger("k"));
    parts.heal();
    return { ...parts, id };
  }

  it("is refused a retry by hand, and stays as it is", async () => {
    const { id, retry, producer, charged } = await forgotten();

    expect(await retry(id)).toMatchObject({ status: 409, body: { code: "EFFECTS_FORGOTTEN" } });

    expect((await producer.status(id))?.state).toBe("failed");
    expect(charged).toEqual(["k"]);
  });

  it("is skipped by an act on many", async () => {
    const { id, service, producer, charged } = await forgotten();
    const operator = await service.createOperator();
    const act = await operator.acts.start({ act: "retry", filter: {}, all: true, reason: "test" }, "test");
    const ended = await until("the act has ended", async () => {
      const status = await operator.acts.read(act.id);
      return status.endedAt !== null && status;
    });

    expect(ended).toMatchObject({ done: 0, skipped: 1 });
    expect((await producer.status(id))?.state).toBe("failed");
    expect(charged).toEqual(["k"]);
  });

  it("fails without the effect if another tool retries it", async () => {
    const { id, service, producer, charged } = await forgotten();
    await (await service.openBareQueue().getJob(id))?.retry();

    const status = await until("it has failed again", async () => {
      const found = await producer.status(id);
      return found?.state === "failed" && found;
    });

    expect(status.error).toMatchObject({ code: "EFFECTS_FORGOTTEN" });
    expect(charged).toEqual(["k"]);
  });
});

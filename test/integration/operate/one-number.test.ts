import { defineJob } from "holdfast";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { queueKeys } from "../../../src/core/bullmq/store/queue-keys.ts";
import { anyJob } from "../../support/application.ts";
import { get } from "../../support/http.ts";
import { scrape } from "../../support/metrics.ts";
import { run } from "../../support/run-command.ts";
import { applicationOf, createService, type Service } from "../../support/service.ts";
import { until } from "../../support/until.ts";

const retry = { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } } as const;
/** Fails with its payload as the message. */
const failing = anyJob({ type: "failing", retry });
/** Of its failed jobs, three are kept. */
const trimmed = defineJob({
  type: "trimmed",
  payload: z.unknown(),
  result: z.unknown(),
  retry,
  timeoutMs: 10_000,
  retention: { failed: { count: 3 } },
});
const doubtful = defineJob({
  type: "doubtful",
  payload: z.unknown(),
  result: z.unknown(),
  retry,
  timeoutMs: 10_000,
  effects: { act: { timeoutMs: 5_000, inDoubt: "hold" } },
});
const fail = async ({ payload }: { readonly payload: unknown }) => {
  throw new Error(String(payload));
};
const application = applicationOf(
  failing.handler(fail),
  trimmed.handler(fail),
  doubtful.handler(async ({ effect }) => {
    await effect("act", () => Promise.reject(Object.assign(new Error("hang up"), { code: "ECONNRESET" })));
  }),
);

interface Counts {
  readonly failed: number;
  readonly cancelled: number;
  readonly failedInDoubt: number;
  readonly isFailedExact: boolean;
}

const FAILED = 250;
const KEPT = 3;
const CANCELLED = 7;
const IN_DOUBT = 4;
const counts = {
  failed: FAILED + KEPT,
  cancelled: CANCELLED,
  failedInDoubt: IN_DOUBT,
  isFailedExact: true,
};

const keyed = (payloads: readonly unknown[], name: string) =>
  payloads.map((payload, at) => ({ payload, idempotencyKey: `${name}-${at}` }));

async function start() {
  const service = createService(application);
  const [producer, operator, api] = await Promise.all([
    service.createProducer(),
    service.createOperator(),
    service.startApi(),
  ]);
  await service.startWorker();
  await producer.submitMany(failing, keyed(Array(FAILED).fill("no route to 10.0.0.7"), "f"));
  await producer.submitMany(trimmed, keyed(Array(12).fill("late"), "t"));
  await producer.submitMany(doubtful, keyed(Array(IN_DOUBT).fill(null), "d"));
  for (let at = 0; at < CANCELLED; at += 1) {
    const later = { idempotencyKey: `c-${at}`, delayMs: 3_600_000 };
    await operator.cancel((await producer.submit(failing, "never", later)).id);
  }
  return { service, producer, operator, url: api.url };
}

/** What each place says of failed jobs. */
async function everywhere({ env }: Service, url: string): Promise<Record<string, Counts>> {
  // One object a line: there is one queue.
  const command = async (...args: string[]) => JSON.parse((await run([...args, "--json"], env)).stdout);
  const read = async (path: string): Promise<Readonly<Record<string, unknown>>> =>
    (await get(`${url}${path}`)).body;
  const [overview, queues, list, failures] = await Promise.all([
    read("/overview"),
    read("/queues"),
    read("/jobs?state=failed&limit=1&total=true"),
    read("/failures"),
  ]);
  return {
    overview: countsIn((overview.queues as Counts[])[0]),
    queues: countsIn((queues.queues as Counts[])[0]),
    list: countsIn((list.total as { kinds: Counts }).kinds),
    groups: countsOf(failures as unknown as Failures),
    "holdfast queues list": countsIn(await command("queues", "list")),
    "holdfast overview": countsIn((await command("overview")).queues[0]),
  };
}

function countsIn(found: Counts | undefined): Counts {
  const { failed = -1, cancelled = -1, failedInDoubt = -1, isFailedExact = false } = found ?? {};
  return { failed, cancelled, failedInDoubt, isFailedExact };
}

interface Failures {
  readonly groups: readonly {
    readonly code: string;
    readonly count: number;
    readonly messagePattern: string | null;
  }[];
  readonly isComplete: boolean;
}

function countsOf({ groups, isComplete }: Failures): Counts {
  const sum = (wanted: (code: string) => boolean) =>
    groups.filter(({ code }) => wanted(code)).reduce((total, { count }) => total + count, 0);
  return {
    failed: sum((code) => code !== "CANCELLED" && code !== "EFFECT_IN_DOUBT"),
    cancelled: sum((code) => code === "CANCELLED"),
    failedInDoubt: sum((code) => code === "EFFECT_IN_DOUBT"),
    isFailedExact: isComplete,
  };
}

describe("how many jobs have failed", () => {
  it("is one number in each place: cancelled jobs and those in doubt have not failed", async () => {
    const { service, url } = await start();
    await until("all have ended", async () => {
      const { overview } = await everywhere(service, url);
      return JSON.stringify(overview) === JSON.stringify(counts);
    });

    const found = await everywhere(service, url);
    expect(found).toEqual(Object.fromEntries(Object.keys(found).map((place) => [place, counts])));
    const text = (await run(["overview"], service.env)).stdout;
    expect(text).toContain(`${counts.failed} failed, ${IN_DOUBT} in doubt`);
    const listed = (await run(["jobs", "list", "--state", "failed", "--limit", "500"], service.env)).stdout;
    expect(listed.match(/ in doubt \(failed\) /g)).toHaveLength(IN_DOUBT);
    expect(listed.match(/ cancelled \(failed\) /g)).toHaveLength(CANCELLED);
    // BullMQ's word has all of them.
    const { value } = await scrape(`${url}/metrics`);
    expect(value("holdfast_jobs", { queue: "default", state: "failed" })).toBe(
      counts.failed + CANCELLED + IN_DOUBT,
    );
  });

  it("stays the same for one reason while jobs of others are retried, fail again and are cancelled", async () => {
    const { producer, operator, url } = await start();
    const receipts = await producer.submitMany(failing, keyed(Array(100).fill("disk full"), "disk"));
    const failures = async () => (await get(`${url}/failures`)).body as unknown as Failures;
    await until("all have failed", async () => countsOf(await failures()).failed === 100 + FAILED + KEPT);

    let isOver = false;
    const load = (async () => {
      for (let round = 0; round < 2; round += 1) {
        for (const receipt of receipts) {
          const { id = "" } = receipt as { id?: string };
          // It may not have failed again yet.
          await operator.retry(id).catch(() => {});
        }
        const later = { idempotencyKey: `l-${round}`, delayMs: 3_600_000 };
        await operator.cancel((await producer.submit(failing, "never", later)).id);
      }
    })().finally(() => {
      isOver = true;
    });
    const seen = new Set<number | undefined>();
    const quiet = "no route to #";
    while (!isOver) {
      const { groups } = await failures();
      seen.add(groups.find(({ messagePattern }) => messagePattern === quiet)?.count);
    }
    await load;
    expect([...seen]).toEqual([FAILED]);
    await until(
      "all have failed again",
      async () => countsOf(await failures()).failed === 100 + FAILED + KEPT,
    );
    const { groups } = await failures();
    expect(groups.filter(({ code }) => code === "CANCELLED")).toMatchObject([{ count: CANCELLED + 2 }]);
  });

  it("is never called exact while jobs that were counted are gone", async () => {
    const { service, operator } = await start();
    const { queues } = operator;
    const count = async () => (await queues.list()).find(({ name }) => name === "default");
    await until("all are counted", async () => {
      const { failed, isFailedExact } = countsIn(await count());
      return isFailedExact && failed === FAILED + KEPT;
    });
    const client = service.connect();
    const key = queueKeys(service.env.HOLDFAST_PREFIX, "default").failed;
    const ids = await client.zrange(key, "0", "-1");
    expect(ids).toHaveLength(FAILED + KEPT + CANCELLED + IN_DOUBT);
    const said: (readonly [said: Counts, left: number])[] = [];
    for (let gone = 1; gone <= 40; gone += 1) {
      await client.zrem(key, ids[gone] ?? "");
      said.push([countsIn(await count()), ids.length - gone]);
    }
    const sumOf = ({ failed, cancelled, failedInDoubt }: Counts) => failed + cancelled + failedInDoubt;
    expect(
      said.filter(([counts, left]) => (counts.isFailedExact ? sumOf(counts) !== left : sumOf(counts) > left)),
    ).toEqual([]);
    await until("it is exact again", async () => {
      const counts = countsIn(await count());
      return counts.isFailedExact && sumOf(counts) === ids.length - 40;
    });
  });
});

describe("jobs that wait by priority", () => {
  it("are found among the waiting ones, with BullMQ's word beside theirs", async () => {
    const service = createService(application);
    const [producer, api] = await Promise.all([service.createProducer(), service.startApi()]);
    const plain = await producer.submit(failing, 1, { idempotencyKey: "plain" });
    const prior = await producer.submit(failing, 1, { idempotencyKey: "prior", priority: 3 });

    const listed = (await get(`${api.url}/jobs?state=waiting&limit=10&total=true`)).body;
    expect(listed).toMatchObject({
      jobs: [
        { id: plain.id, state: "waiting" },
        { id: prior.id, state: "prioritized" },
      ],
      total: { count: 2, isExact: true },
    });
    const { stdout } = await run(["jobs", "list", "--state", "waiting"], service.env);
    expect(stdout).toContain("waiting (prioritized)");
    expect(stdout).toContain(plain.id);
  });
});

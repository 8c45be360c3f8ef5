import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Producer } from "holdfast";
import { http } from "holdfast/evidence";
import { createGuard, defineEffect } from "holdfast/guard";
import { startRelay } from "holdfast/postgres";
import type { Api } from "holdfast/server";
import pg from "pg";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { migrate } from "../../src/roles/outbox/database.ts";
import { schedulersKey } from "../../src/roles/schedules/scheduler-heartbeat.ts";
import { cutTexts, launchBrowser, sidewaysScroll, viewports } from "../support/browser.ts";
import { type ConsolePage, openConsole, untilLoaded } from "../support/console-page.ts";
import { writePast } from "../support/past.ts";
import { createDatabase } from "../support/postgres.ts";
import { ranBySchedule } from "../support/ran-by-schedule.ts";
import { SECRET } from "../support/receivers.ts";
import { type RedisServer, startRedisServer } from "../support/redis-server.ts";
import { createService, type Service } from "../support/service.ts";
import {
  monthlyStatements,
  placeOrder,
  reportWithInvoices,
  shopIn,
  trade,
  type World,
} from "../support/shop.ts";
import { until } from "../support/until.ts";
import { type KnownJobs, shotsOf } from "./pages.ts";

/** The pictures of the docs go here, all others to a temporary folder: they are large. */
const folder = process.env.CONSOLE_PICTURES ?? "docs/console";
const others = join(tmpdir(), "holdfast-pictures");

/** In the docs: in both themes on a desktop, and on a phone in one. */
const inDocs = [
  "overview",
  "job",
  "job-in-doubt",
  "failed",
  "doubts",
  "resolve",
  "schedules",
  "acts",
  "outbox",
];

const HOURS = 14 * 24;
const HOUR_MS = 3_600_000;
const timeout = 600_000;

type Device = keyof typeof viewports;
type Theme = "light" | "dark";
const screens = (Object.keys(viewports) as Device[]).flatMap((device) =>
  (["light", "dark"] as const).map((colorScheme) => ({ device, colorScheme })),
);

const world: World = { isPartnerDown: true };
const onCall = { name: "on-call", webhook: "ON_CALL_URL", secret: "ON_CALL_SECRET" };
const shop = shopIn(world, [monthlyStatements], { receivers: [onCall] });
const stops: (() => Promise<void>)[] = [];
let server: RedisServer;
let service: Service;
let api: Api;
let browser: Browser;
let producer: Producer;
let jobs: KnownJobs;

describe("pictures of the console", { timeout }, () => {
  beforeAll(async () => {
    server = await startRedisServer();
    stops.push(server.stop);
    const databaseUrl = await createDatabase(inject("postgresUrl"));
    await migrate(databaseUrl);
    const variables = {
      REDIS_URL: server.url,
      DATABASE_URL: databaseUrl,
      HOLDFAST_CONCURRENCY: "20,media=3",
      HOLDFAST_STOP_GRACE_MS: "100",
      ON_CALL_URL: await startOnCall(),
      ON_CALL_SECRET: SECRET,
    };
    service = createService(shop, variables, (stop) => stops.push(stop));
    const folders = [folder, others].map((path) => mkdir(path, { recursive: true }));
    [browser, api] = await Promise.all([launchBrowser(), service.startApi(), ...folders]);
    await writeHistory();
    producer = await service.createProducer();
    await service.startWorker();
    await workADay();
    await parkRows(databaseUrl);
    await guardCharges();
    await operate();
    jobs = await knownJobs();
  }, timeout);
  afterAll(async () => {
    await browser.close();
    for (const stop of stops.reverse()) await stop();
    console.log(`All other pictures are in ${others}`);
  }, timeout);

  it.each(screens)("shows every page on a $device, $colorScheme", async (screen) => {
    const { page, open } = await openOn(screen);
    for (const { name, path, act } of shotsOf(jobs)) {
      await open(path);
      await untilSettled(page);
      await act?.(page);
      await take(page, name, screen);
      expect.soft(await sidewaysScroll(page), name).toBe(0);
      expect.soft(await cutTexts(page), name).toEqual([]);
    }
  });

  it.each(screens)("shows what is empty on a $device, $colorScheme", async (screen) => {
    const empty = await createService(shopIn(world), { REDIS_URL: server.url }).startApi();
    const { page, open } = await openConsole(browser, empty.url, optionsOf(screen));
    for (const path of ["", "jobs", "failed", "doubts", "guarded", "schedules", "acts"]) {
      await open(path);
      await untilSettled(page);
      await take(page, `empty-${path || "overview"}`, screen);
    }
  });

  // Last: Redis stays away.
  it("shows that Redis is away", async () => {
    const open = await Promise.all(screens.map(async (screen) => ({ screen, ...(await openOn(screen)) })));
    for (const { open: visit, page } of open) await visit("").then(() => untilSettled(page));
    await server.kill();
    for (const { page, screen } of open) {
      await page.getByText(/^Stale since/).waitFor({ timeout: 60_000 });
      await take(page, "away", screen);
    }
  });
});

function optionsOf({ device, colorScheme }: { device: Device; colorScheme: Theme }) {
  return { viewport: viewports[device], colorScheme, timezoneId: "Europe/Berlin" };
}

async function openOn(screen: { device: Device; colorScheme: Theme }): Promise<ConsolePage> {
  const opened = await openConsole(browser, api.url, optionsOf(screen));
  await opened.page.route(/\/jobs/, async (route) => {
    const accepted = await route.request().headerValue("accept");
    if (/text\/(html|event-stream)/.test(accepted ?? "")) return await route.fallback();
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: asInstalled(await answer.text()) });
  });
  return opened;
}

/** Stacks as operators see them: of an application that has Holdfast installed, wherever these sources are. */
function asInstalled(text: string): string {
  return text
    .replaceAll(`${process.cwd()}/src/`, "/app/node_modules/holdfast/dist/")
    .replaceAll(`${process.cwd()}/test/support/`, "/app/jobs/");
}

async function untilSettled(page: ConsolePage["page"]): Promise<void> {
  await untilLoaded(page);
  await page.waitForLoadState("load");
}

async function take(
  page: ConsolePage["page"],
  name: string,
  { device, colorScheme }: { device: Device; colorScheme: Theme },
): Promise<void> {
  const isInDocs = inDocs.includes(name) && (device === "desktop" || colorScheme === "light");
  const path = join(isInDocs ? folder : others, `${name}-${device}-${colorScheme}.png`);
  const isWindow = (await page.locator(".window").count()) > 0;
  await page.screenshot({ path, fullPage: !isWindow, animations: "disabled" });
}

async function writeHistory(): Promise<void> {
  const client = service.connect();
  const { HOLDFAST_PREFIX: prefix } = service.env;
  const past = [
    { queue: "default", type: "order-confirmation", perMinute: 140, runMs: 85, failed: 0.002 },
    { queue: "default", type: "partner-webhook", perMinute: 22, runMs: 420, failed: 0.11 },
    { queue: "documents", type: "invoice-pdf", perMinute: 14, runMs: 2_600, failed: 0.01 },
  ];
  // With the minute that runs, so that the chart does not end in a gap.
  await writePast(client, prefix, HOURS, past, Date.now() + 60_000);
  // As if a scheduler ran beside.
  await client.zadd(schedulersKey(prefix), Date.now() + HOUR_MS, "vm:9");
  const pause = ["kind", "paused", "text", "the mail provider is down", "by", "ops-night"];
  await client.xadd(`${prefix}:{default}:history:marks`, `${Date.now() - 240 * 60_000}-1`, ...pause);
}

async function workADay(): Promise<void> {
  await trade(producer, { confirmations: 1_200, invoices: 400, hooks: 37, videos: 58 });
  await ranBySchedule(service.env, [monthlyStatements]);
  // A busy machine may answer 503 at first; the same flow again finishes it.
  await until("the report is submitted", () =>
    reportWithInvoices(producer).then(
      () => true,
      () => false,
    ),
  );
  const delayed = Array.from({ length: 24 }, (_, index) => placeOrder(producer, 60_000 + index, 7_200_000));
  await Promise.all(delayed);
  await until("the day's work is done", async () => {
    const { jobs: waiting } = await ask<{ jobs: { queue: string }[] }>("jobs?state=waiting&queue=default");
    const { groups } = await ask<Failures>("failures");
    return (
      waiting.length === 0 && groups.some(({ type, count }) => type === "partner-webhook" && count === 37)
    );
  });
}

/** Rows that no relay can submit, one of which keeps another waiting. */
async function parkRows(databaseUrl: string): Promise<void> {
  const database = new pg.Client(databaseUrl);
  await database.connect();
  const add = (type: string, payload: object, key: string, orderingKey: string | null = null) =>
    database.query(
      "INSERT INTO holdfast_outbox (type, payload, idempotency_key, ordering_key) VALUES ($1, $2, $3, $4)",
      [type, payload, key, orderingKey],
    );
  await add("order-confirmation", { order: "42007" }, "order-42007");
  await add("order-confirmation", {}, "order-42008");
  await add("order-shipped", { order: 42_009 }, "shipped-42009", "customer-17");
  await add("order-confirmation", { order: 42_010 }, "order-42010", "customer-17");
  await database.end();
  const relay = await startRelay(shop, service.env);
  stops.push(relay.stop);
  await until("they are parked", async () => (await ask<{ parked: number }>("outbox")).parked === 3);
}

/** Calls of a guard: most are done, some in doubt. */
async function guardCharges(): Promise<void> {
  const charge = defineEffect({ name: "charge-card", timeoutMs: 30_000, inDoubt: "hold", classify: http });
  const guard = await createGuard({ effects: [charge], env: service.env });
  stops.push(guard.stop);
  const bank = createServer((request, response) => {
    if (request.url === "/v1/lost") request.socket.destroy();
    else response.end('{"id":"ch_17"}');
  }).listen(0, "127.0.0.1");
  await once(bank, "listening");
  const { port } = bank.address() as AddressInfo;
  for (let order = 51_001; order <= 51_040; order += 1) {
    const call = {
      key: `order-${order}`,
      content: { order },
      by: "web-3",
      about: `order ${order} of customer 17`,
    };
    const pay = async ({ signal }: { readonly signal: AbortSignal }) => {
      const path = order % 13 === 0 ? "lost" : "charges";
      const answer = await fetch(`http://127.0.0.1:${port}/v1/${path}`, {
        method: "POST",
        body: "{}",
        signal,
      });
      return (await answer.json()) as { id: string };
    };
    await guard.once(charge, call, pay).catch(() => undefined);
  }
  bank.close();
}

/** Whose answer to each notice is that it has it. */
async function startOnCall(): Promise<string> {
  const pager = createServer((request, response) => request.resume().on("end", () => response.end())).listen(
    0,
    "127.0.0.1",
  );
  await once(pager, "listening");
  stops.push(async () => void pager.close().closeAllConnections());
  return `http://127.0.0.1:${(pager.address() as AddressInfo).port}/`;
}

/** What people do on such a day: retry, resolve, pause. */
async function operate(): Promise<void> {
  const { doubts } = await ask<Doubts>("doubts?limit=2");
  for (const [index, { jobId, effect }] of doubts.entries())
    await post(`jobs/${jobId}/effects/${effect}/resolve`, {
      as: index === 0 ? "done" : "not-done",
      evidence:
        index === 0 ? "Seen in the outbox of the mail server" : "Not in the provider's export of 12:00",
    });
  await post("queues/media/pause", { reason: "the disk of the encoder is full" });
  for (const [reason, rate] of [
    ["the customers' VAT numbers were added", undefined],
    ["bad deploy 7f3a", "5/s"],
  ])
    await post("jobs/acts", { act: "retry", filter: { type: "invoice-pdf", state: "failed" }, reason, rate });
  const { groups } = await ask<Failures>("failures");
  const failed = groups.find(({ type }) => type === "partner-webhook")?.exampleId;
  await post(`jobs/${failed}/retry`, { reason: "the partner says that it is back" });
  await until("it has failed again", async () => {
    const { state } = await ask<{ state: string }>(`jobs/${failed}`);
    return state === "failed";
  });
  await post("queues/default/pause", { type: "partner-webhook", reason: "the partner is down" });
  await post("queues/documents/limits", { type: "invoice-pdf", concurrency: 2 }, "PUT");
  const exported = await ask<Doubts>("doubts?limit=3");
  const ids = exported.doubts.map(({ jobId, effect }) => ({ jobId, effect }));
  await post("doubts/resolve", { ids, as: "done", evidence: "in the export of 12:30" });
}

interface Doubts {
  readonly doubts: readonly { jobId: string; effect: string; effectKey: string }[];
}
interface Failures {
  readonly groups: readonly { type: string; count: number; exampleId: string }[];
}
interface Listed {
  readonly jobs: readonly { id: string; type: string }[];
}

async function knownJobs(): Promise<KnownJobs> {
  const { doubts } = await ask<Doubts>("doubts?limit=10");
  const { groups } = await ask<Failures>("failures");
  const call = async (state: string) =>
    (await ask<{ effects: { id: string }[] }>(`guarded-effects?state=${state}`)).effects[0]?.id ?? "";
  const first = async (path: string) => (await ask<Listed>(`jobs?limit=1&${path}`)).jobs[0]?.id ?? "";
  return {
    failed: groups.find(({ type }) => type === "partner-webhook")?.exampleId ?? "",
    inDoubt: doubts[0]?.jobId ?? "",
    running: await first("type=video-preview&state=active"),
    completed: await first("type=invoice-pdf&state=completed"),
    parent: await first("idempotencyKey=report-by-hand"),
    call: await call("in-doubt"),
    doneCall: await call("done"),
    export: ["reference,amount", ...doubts.slice(0, 4).map(({ effectKey }) => `${effectKey},12.00`)].join(
      "\n",
    ),
  };
}

/** A busy machine may answer 503 at first. */
async function ask<T>(path: string): Promise<T> {
  return await until(`GET /${path} is answered`, async () => {
    const response = await fetch(`${api.url}/${path}`);
    return response.ok && ((await response.json()) as T);
  });
}

async function post(path: string, body: object, method = "POST"): Promise<void> {
  const response = await fetch(`${api.url}/${path}`, {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
}

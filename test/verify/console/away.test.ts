import { type Api, startApi } from "holdfast/server";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchBrowser, sidewaysScroll, viewports } from "../../support/browser.ts";
import { accessibilityFaults, openConsole, untilLoaded } from "../../support/console-page.ts";
import { type RedisServer, startRedisServer } from "../../support/redis-server.ts";
import { createService, type Service } from "../../support/service.ts";
import { shopIn, trade } from "../../support/shop.ts";
import { until } from "../../support/until.ts";

const shop = shopIn({ isPartnerDown: true });
const stops: (() => Promise<void>)[] = [];
let store: RedisServer;
let service: Service;
let api: Api;
let browser: Browser;

beforeAll(async () => {
  store = await startRedisServer();
  stops.push(store.stop);
  service = createService(shop, { REDIS_URL: store.url, HOLDFAST_STOP_GRACE_MS: "100" }, (stop) =>
    stops.push(stop),
  );
  api = await startApi(shop, service.env);
  const producer = await service.createProducer();
  const worker = await service.startWorker();
  await trade(producer, { confirmations: 20, invoices: 10, hooks: 5, videos: 2 });
  await until("jobs have failed", async () => {
    const { groups } = (await (await fetch(`${api.url}/failures`)).json()) as { groups: unknown[] };
    return groups.length > 0;
  });
  await worker.stop();
  browser = await launchBrowser();
}, 120_000);

afterAll(async () => {
  await browser.close();
  await api.stop();
  for (const stop of stops.reverse()) await stop();
});

const note = (page: Page) => page.getByRole("status").filter({ hasText: "has been away since" });
const isLive = (page: Page) => page.getByText("Live", { exact: true }).waitFor();

/** Opens every page, each with its own connections, and one on a phone. */
async function openAll(): Promise<Page[]> {
  const { jobs } = (await (await fetch(`${api.url}/jobs?limit=1`)).json()) as { jobs: { id: string }[] };
  const paths = ["", "jobs", `jobs/${jobs[0]?.id}`, "failed", "doubts", "schedules"];
  const consoles = await Promise.all([
    ...paths.map(async (path) => ({ path, ...(await openConsole(browser, api.url)) })),
    {
      path: "",
      ...(await openConsole(browser, api.url, { viewport: viewports.phone, colorScheme: "dark" })),
    },
  ]);
  for (const { open, path } of consoles) await open(path);
  for (const { page } of consoles) await untilLoaded(page);
  return consoles.map(({ page }) => page);
}

const textOf = (page: Page) => page.locator("main h1").textContent();

/** Whether anything on the page still has a colour that means good or bad. */
function coloured(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(`(() => {
    const root = getComputedStyle(document.documentElement);
    const probe = document.body.appendChild(document.createElement("i"));
    const live = ["--accent", "--bad", "--doubt"].map((name) => {
      probe.style.color = root.getPropertyValue(name);
      return getComputedStyle(probe).color;
    });
    probe.remove();
    return [...document.querySelectorAll("main *, nav *")]
      .filter((element) => live.includes(getComputedStyle(element).color))
      .map((element) => element.outerHTML.slice(0, 80));
  })()`);
}

describe("the console of a service that is gone", { timeout: 120_000 }, () => {
  it("greys outdated facts on every page while Redis is silent, and becomes live again by itself", async () => {
    const pages = await openAll();
    const before = await Promise.all(pages.map(textOf));
    process.kill(store.pid, "SIGSTOP");
    try {
      for (const page of pages) {
        await note(page).filter({ hasText: "Redis has been away" }).waitFor();
        expect(await page.locator("main.stale").count()).toBe(1);
        expect(await coloured(page)).toEqual([]);
        expect(await sidewaysScroll(page)).toBe(0);
      }
      expect(await Promise.all(pages.map(textOf))).toEqual(before);
      const [overview, jobs] = pages as [Page, Page];
      expect(await overview.textContent("main")).not.toContain("guarantees hold");
      expect(await overview.textContent("main")).not.toContain("Answers in");
      await overview.getByText("not known now").first().waitFor();
      expect(await jobs.locator("main [role=row]").count()).toBeGreaterThan(5);
      expect(await accessibilityFaults(overview)).toEqual([]);
    } finally {
      process.kill(store.pid, "SIGCONT");
    }
    for (const page of pages) {
      await isLive(page);
      await note(page).waitFor({ state: "detached" });
      expect(await page.locator(".stale").count()).toBe(0);
    }
    await pages[0]?.getByText(/guarantees hold/).waitFor();
  });

  it("reports that Redis was killed, also on pages opened later", async () => {
    const { page, open } = await openConsole(browser, api.url);
    await open("");
    await store.kill();
    await note(page).filter({ hasText: "Redis has been away" }).waitFor();

    await page.getByRole("link", { name: "Schedules" }).click();
    await page.getByRole("heading", { name: "Schedules" }).waitFor();
    expect(await note(page).count()).toBe(1);

    await store.restart();
    await isLive(page);
    await note(page).waitFor({ state: "detached" });
  });

  it("reports that the API is gone, and becomes live again with the next one", async () => {
    const { page, open } = await openConsole(browser, api.url);
    await open("jobs");
    await untilLoaded(page);
    const { port } = new URL(api.url);
    await api.stop();
    await note(page).filter({ hasText: "The API has been away" }).waitFor();
    expect(await page.locator("main.stale [role=row]").count()).toBeGreaterThan(5);

    api = await startApi(shop, { ...service.env, HOLDFAST_PORT: port });
    await isLive(page);
    await note(page).waitFor({ state: "detached" });
  });
});

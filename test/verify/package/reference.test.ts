import { randomUUID } from "node:crypto";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import application from "../../../holdfast.config.ts";
import { type Api, startApi } from "../../../src/edges/http/start-api.ts";
import { launchBrowser, sidewaysScroll, viewports } from "../../support/browser.ts";
import { keyEntry } from "../../support/keys.ts";

let browser: Browser;
let api: Api;
let page: Page;

beforeAll(async () => {
  browser = await launchBrowser();
  api = await start();
});
afterAll(async () => {
  await browser.close();
  await api.stop();
});
afterEach(() => page.context().close());

function start(more: Record<string, string> = {}): Promise<Api> {
  return startApi(application, {
    REDIS_URL: inject("redisUrl"),
    HOLDFAST_PREFIX: `reference-${randomUUID()}`,
    HOLDFAST_PORT: "0",
    HOLDFAST_LOG_LEVEL: "silent",
    ...more,
  });
}

/** Scalar's own check of the description stumbles over numbers in enums, and shows them all the same. */
const isScalarsOwn = (text: string) => /^document validation errors|^\[Object/.test(text);

/** Collects the page's complaints, and its fetches from other origins. */
function watchComplaints(): string[] {
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !isScalarsOwn(message.text()))
      complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("response", (response) => {
    if (response.status() >= 400) complaints.push(`${response.status()} ${response.url()}`);
  });
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:" && origin !== api.url) complaints.push(`fetched ${request.url()}`);
  });
  return complaints;
}

async function openReference(url = api.url): Promise<void> {
  await page.goto(`${url}/docs`);
  await page.getByRole("heading", { name: "Submit a job" }).waitFor();
}

/** All operations that the page shows, such as `GET /jobs`. */
async function operationsShown(): Promise<string[]> {
  const ids = await page.evaluate<string[]>(
    "[...document.querySelectorAll('section[id]')].map(({ id }) => id)",
  );
  return ids.flatMap((id) => /\/tag\/[a-z]+\/([A-Z]+)(\/.*)$/.exec(id)?.slice(1, 3).join(" ") ?? []).sort();
}

/** Opens the client of the first operation, with its example. */
async function openExample() {
  await page
    .getByRole("button", { name: /^Test Request/ })
    .first()
    .click();
  const client = page.getByRole("dialog");
  return {
    enterKey: (key: string) => client.getByPlaceholder("Token").fill(key),
    send: () => client.getByRole("button", { name: /^Send post request/i }).click(),
    answered: (status: string) => client.getByText(status).waitFor(),
  };
}

/** All operations in `/openapi.json`. */
async function operationsDescribed(): Promise<string[]> {
  const response = await fetch(`${api.url}/openapi.json`);
  const { paths } = (await response.json()) as { paths: Record<string, object> };
  return Object.entries(paths)
    .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`))
    .sort();
}

describe.each(["desktop", "phone"] as const)("the reference on a %s", (device) => {
  beforeEach(async () => {
    const options = { viewport: viewports[device], colorScheme: "dark" } as const;
    page = await (await browser.newContext(options)).newPage();
  });

  it("shows every operation in the dark, within the screen's width, without complaints and fetches from elsewhere", async () => {
    const complaints = watchComplaints();
    await openReference();

    const described = await operationsDescribed();
    await expect.poll(operationsShown).toEqual(described);
    expect(described).toEqual(expect.arrayContaining(["POST /jobs", "GET /jobs/{id}/status"]));
    expect(await sidewaysScroll(page)).toBe(0);
    expect(await page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe("rgb(15, 15, 15)");
    expect(complaints).toEqual([]);
  });
});

describe("the reference", () => {
  beforeEach(async () => {
    page = await browser.newPage();
  });

  it("can be read without a key, and submits its example unchanged with the one that it is given", async () => {
    const guarded = await start({ HOLDFAST_API_KEYS: keyEntry("shop", "submit", "shop-key") });
    try {
      await openReference(guarded.url);
      const example = await openExample();
      await example.send();
      await example.answered("401 Unauthorized");

      await example.enterKey("shop-key");
      await example.send();
      await example.answered("202 Accepted");
    } finally {
      await guarded.stop();
    }
  });
});

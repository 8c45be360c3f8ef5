import { createHash } from "node:crypto";
import type { Api, Producer } from "holdfast";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { launchBrowser } from "../support/browser.ts";
import { openConsole } from "../support/console-page.ts";
import { createService } from "../support/service.ts";
import { placeOrder, shopIn } from "../support/shop.ts";
import { startStrippingProxy } from "../support/stripping-proxy.ts";

const application = shopIn({ isPartnerDown: false });
const stops: (() => Promise<void>)[] = [];
let api: Api;
let browser: Browser;
let producer: Producer;

beforeAll(async () => {
  const service = createService(application, {}, (stop) => stops.push(stop));
  [browser, api, producer] = await Promise.all([
    launchBrowser(),
    service.startApi(),
    service.createProducer(),
  ]);
});
afterAll(async () => {
  await browser.close();
  for (const stop of stops) await stop();
});

describe("the console behind a proxy that takes a prefix off", () => {
  it("opens a deep link, and goes on from there", async () => {
    const proxy = await startStrippingProxy(api.url, "/ops/jobs");
    onTestFinished(proxy.stop);
    const { id } = await placeOrder(producer, 1, 3_600_000);
    const { page, open, complaints } = await openConsole(browser, proxy.url);

    await open(`jobs/${id}`);
    await page.getByRole("heading", { name: "order-1" }).waitFor();
    await page.getByRole("link", { name: "Schedules" }).click();
    await page.getByRole("heading", { name: "nightly-report" }).waitFor();
    expect(page.url()).toBe(`${proxy.url}/console/schedules`);
    await page.reload();
    await page.getByRole("heading", { name: "nightly-report" }).waitFor();

    expect(complaints).toEqual([]);
  });

  it("is found without its last slash", async () => {
    const proxy = await startStrippingProxy(api.url, "/ops");
    onTestFinished(proxy.stop);
    const { page } = await openConsole(browser, proxy.url);

    await page.goto(`${proxy.url}/console`);

    await page.getByRole("heading", { name: "Overview" }).waitFor();
    expect(page.url()).toBe(`${proxy.url}/console/`);
  });

  it("says when it is cut off, and is live again by itself", async () => {
    const proxy = await startStrippingProxy(api.url, "");
    onTestFinished(proxy.stop);
    const { page, open } = await openConsole(browser, proxy.url);
    await page.clock.install();
    await open("");

    proxy.cut();
    await page.getByText("Reconnecting", { exact: true }).waitFor();
    await page.clock.fastForward(11_000);
    await page.getByText(/^Stale since/).waitFor();
    proxy.goOn();

    await page.getByText("Live", { exact: true }).waitFor();
  });
});

describe("the console of a service that asks for keys", () => {
  it("asks for one, says when it is not known, and keeps it as long as the tab", async () => {
    const keys = ["reader:read", "operator:read+operate"].map((name) => `${name}:${sha256(name)}`).join(",");
    const guarded = await createService(application, { HOLDFAST_API_KEYS: keys }).startApi();
    const { page } = await openConsole(browser, guarded.url);
    await page.goto(`${guarded.url}/console/schedules`);
    const key = page.getByLabel("Key");
    const use = page.getByRole("button", { name: "Use this key" });

    await key.fill("guessed");
    await use.click();
    await page.getByText("The service does not know this key.").waitFor();
    await key.fill("reader:read");
    await use.click();
    await page.getByRole("heading", { name: "nightly-report" }).waitFor();
    await page.reload();
    await page.getByRole("heading", { name: "nightly-report" }).waitFor();
    await page.getByText("Live", { exact: true }).waitFor();

    await page
      .getByRole("region", { name: "nightly-report", exact: true })
      .getByRole("button", { name: "Run now" })
      .click();
    await page.getByRole("alertdialog").getByRole("button", { name: "Run now" }).click();
    await page.getByText("FORBIDDEN").waitFor();
    await page.keyboard.press("Escape");

    await page.getByRole("button", { name: "Forget key" }).click();
    await key.waitFor();
    expect(await page.evaluate("sessionStorage.length")).toBe(0);
  });
});

describe("the console's files", () => {
  it("are kept for ever, but the page that names them is not", async () => {
    const page = await fetch(`${api.url}/console/jobs/some-job`);
    const [asset = ""] = /assets\/[^"]+\.js/.exec(await page.text()) ?? [];
    const script = await fetch(`${api.url}/console/${asset}`, { headers: { "accept-encoding": "br" } });

    expect(page.headers.get("cache-control")).toBe("no-store");
    expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'none'; script-src 'self'; /);
    expect(script.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(script.headers.get("content-encoding")).toBe("br");
    expect(script.headers.get("x-content-type-options")).toBe("nosniff");
  });

  it.each([
    ["/console/", "./"],
    ["/console/jobs", "./"],
    ["/console/jobs/", "../"],
    ["/console/jobs/a%2Fb", "../"],
    ["/console/a/b/c?d=/e/f", "../../"],
  ])("are named by %s so that it finds them: %s", async (path, base) => {
    const page = await fetch(`${api.url}${path}`);

    expect(await page.text()).toContain(`<base href="${base}" />`);
  });

  it("that are not there are not found, rather than the page", async () => {
    const response = await fetch(`${api.url}/console/assets/gone.js`);

    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: "ROUTE_NOT_FOUND" });
  });
});

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

import { createHash } from "node:crypto";
import type { Producer } from "holdfast";
import type { Api } from "holdfast/server";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { launchBrowser } from "../../support/browser.ts";
import { chooseAct, openConsole } from "../../support/console-page.ts";
import { createService } from "../../support/service.ts";
import { placeOrder, shopIn } from "../../support/shop.ts";
import { startStrippingProxy } from "../../support/stripping-proxy.ts";

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

describe("the console behind a proxy that strips a prefix", () => {
  it("opens a deep link, and navigates from there", async () => {
    const proxy = await startStrippingProxy(api.url, "/ops/jobs");
    onTestFinished(proxy.stop);
    const { id } = await placeOrder(producer, 1, 3_600_000);
    const { page, open, complaints } = await openConsole(browser, proxy.url);

    await open(`jobs/${id}`);
    await page.getByRole("heading", { name: "order-1" }).waitFor();
    await page.getByRole("link", { name: "Schedules" }).click();
    await page.getByRole("rowheader", { name: "nightly-report" }).waitFor();
    expect(page.url()).toBe(`${proxy.url}/console/schedules`);
    await page.reload();
    await page.getByRole("rowheader", { name: "nightly-report" }).waitFor();

    expect(complaints).toEqual([]);
  });

  it("works without its trailing slash", async () => {
    const proxy = await startStrippingProxy(api.url, "/ops");
    onTestFinished(proxy.stop);
    const { page } = await openConsole(browser, proxy.url);

    await page.goto(`${proxy.url}/console`);

    await page.getByRole("heading", { name: "Overview" }).waitFor();
    expect(page.url()).toBe(`${proxy.url}/console`);
  });

  it("reports a lost connection, and becomes live again by itself", async () => {
    const proxy = await startStrippingProxy(api.url, "");
    onTestFinished(proxy.stop);
    const { page, open } = await openConsole(browser, proxy.url);
    await page.clock.install();
    await open("");

    proxy.cut();
    await page.getByText("Reconnecting", { exact: true }).waitFor();
    await page.clock.fastForward(11_000);
    await page.getByText(/^Stale since \d\d:\d\d:\d\d UTC$/).waitFor();
    proxy.goOn();

    await page.getByText("Live", { exact: true }).waitFor();
  });
});

describe("the console of a service with API keys", () => {
  const names = ["reader:read", "operator:read+operate"];
  const keys = names.map((name) => `${name}:${sha256(name)}`).join(",");
  // Behind a prefix, because the cookie must work there, too.
  async function openGuarded(path: string) {
    const guarded = await createService(application, { HOLDFAST_API_KEYS: keys }).startApi();
    const proxy = await startStrippingProxy(guarded.url, "/ops");
    onTestFinished(proxy.stop);
    const { page } = await openConsole(browser, proxy.url);
    await page.goto(`${proxy.url}/console/${path}`);
    const signIn = async (key: string) => {
      await page.getByLabel("Key").fill(key);
      await page.getByRole("button", { name: "Sign in" }).click();
    };
    return { page, signIn, url: proxy.url };
  }

  it("asks for a key, rejects an unknown one, and exchanges it for a cookie that no script can read", async () => {
    const { page, signIn, url } = await openGuarded("schedules");

    await signIn("guessed");
    await page.getByText("The service does not know this key.").waitFor();
    await signIn("operator:read+operate");
    await page.getByRole("rowheader", { name: "nightly-report" }).waitFor();
    await page.getByText("operator (read, operate)").waitFor();
    // Beside who is signed in, every page still has its link.
    expect(await page.locator("nav ul").evaluate((list) => list.scrollWidth - list.clientWidth)).toBe(0);
    await page.reload();
    await page.getByText("Live", { exact: true }).waitFor();

    expect(await page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]")).toEqual([
      0,
      0,
      "",
    ]);
    expect(await page.context().cookies()).toMatchObject([
      { path: "/ops", httpOnly: true, sameSite: "Strict", secure: false },
    ]);

    await chooseAct(page, "nightly-report", "Run now…");
    await page.getByRole("alertdialog").getByRole("button", { name: "Run now" }).click();
    await page.getByText("Submitted.").waitFor();

    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Key").waitFor();
    expect(await page.context().cookies()).toEqual([]);
    await page.goto(`${url}/console/jobs`);
    await page.getByLabel("Key").waitFor();
  });

  it("does not offer what the key does not allow", async () => {
    const { page, signIn } = await openGuarded("schedules");

    await signIn("reader:read");
    await page.getByText("reader (read)").waitFor();
    await page.getByRole("rowheader", { name: "nightly-report" }).waitFor();

    expect(await page.getByRole("button", { name: /^Acts on/ }).count()).toBe(0);
    await page.getByRole("link", { name: "Failed" }).click();
    await page.getByRole("heading", { name: "Failed" }).waitFor();
    expect(await page.getByRole("button", { name: /^Retry/ }).count()).toBe(0);
  });
});

describe("the console's files", () => {
  it("are cached forever, but the page that names them is not", async () => {
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
    ["/console", "console/"],
    ["/console?a=/b", "console/"],
    ["/console/", "./"],
    ["/console/jobs", "./"],
    ["/console/jobs/", "../"],
    ["/console/jobs/a%2Fb", "../"],
    ["/console/a/b/c?d=/e/f", "../../"],
  ])("have addresses that work from %s: %s", async (path, base) => {
    const page = await fetch(`${api.url}${path}`);

    expect(await page.text()).toContain(`<base href="${base}" />`);
  });

  it("return 404 if they do not exist, not the page", async () => {
    const response = await fetch(`${api.url}/console/assets/gone.js`);

    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: "ROUTE_NOT_FOUND" });
  });
});

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

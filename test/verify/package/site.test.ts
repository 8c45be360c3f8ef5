import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import axe, { type AxeResults } from "axe-core";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { launchBrowser, sidewaysScroll } from "../../support/browser.ts";
import { until } from "../../support/until.ts";

const KILOBYTE = 1_024;
const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

let browser: Browser;
let url: string;
const server = createServer(async ({ url: asked = "/" }, answer) => {
  const { pathname } = new URL(asked, "http://site");
  const path = join("dist-site", normalize(pathname.endsWith("/") ? `${pathname}index.html` : pathname));
  const file = extname(path) === "" ? `${path}.html` : path;
  try {
    answer.setHeader("content-type", types[extname(file)] ?? "application/octet-stream");
    answer.setHeader("content-encoding", "gzip"); // as every host of such pages does
    answer.end(gzipSync(await readFile(file)));
  } catch {
    answer.writeHead(404).end();
  }
});

beforeAll(async () => {
  await promisify(execFile)(process.execPath, ["scripts/site.mjs"]);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  browser = await launchBrowser();
}, 600_000);

afterAll(async () => {
  await browser?.close();
  server.close();
});

async function open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext(options);
  onTestFinished(() => context.close());
  const page = await context.newPage();
  await show(page, path);
  return page;
}

/** Until its scripts have taken it over. */
async function show(page: Page, path: string): Promise<void> {
  await page.goto(`${url}${path}`, { waitUntil: "load" });
  await page.waitForFunction("document.querySelector('#app').__vue_app__ !== undefined");
}

/** What WCAG 2.1 AA refuses, contrast among it, and headings out of order: one line for each element. */
async function issuesOf(page: Page): Promise<string[]> {
  const options = {
    runOnly: ["wcag2a", "wcag2aa", "wcag21aa"],
    rules: { "heading-order": { enabled: true } },
  };
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<AxeResults>(
    `axe.run(document.querySelector("#VPContent"), ${JSON.stringify(options)})`,
  );
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target}`));
}

describe("the site", () => {
  it("has a first page of less than 150 KB as it is sent, and 350 KB unpacked, from nowhere else", async () => {
    const page = await open("/");
    await page.waitForLoadState("networkidle");
    const fetched = await page.evaluate<{ name: string; encodedBodySize: number; decodedBodySize: number }[]>(
      "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].map((entry) => entry.toJSON())",
    );
    const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0) / KILOBYTE;
    expect(fetched.length).toBeGreaterThan(3);
    expect(sum(fetched.map(({ encodedBodySize }) => encodedBodySize))).toBeLessThan(150);
    expect(sum(fetched.map(({ decodedBodySize }) => decodedBodySize))).toBeLessThan(350);
    expect(new Set(fetched.map(({ name }) => new URL(name).origin))).toEqual(new Set([url]));
  });

  // Colours do not depend on the width.
  it.each([
    [1440, "light"],
    [390, "dark"],
  ] as const)(
    "can be read at %i pixels, %s: contrast, headings, no sideways scrolling",
    async (width, colorScheme) => {
      const page = await open("/", { viewport: { width, height: 900 }, colorScheme });
      for (const path of ["/", "/docs/tour", "/docs/why-not", "/docs/from-bullmq", "/docs/guarantees"]) {
        await show(page, path);
        expect({ path, issues: await issuesOf(page), scrolls: await sidewaysScroll(page) }).toEqual({
          path,
          issues: [],
          scrolls: 0,
        });
        const levels = await page.evaluate<number[]>(
          "[...document.querySelectorAll('#VPContent :is(.vp-doc, .landing) :is(h1, h2, h3, h4)')].map(({ tagName }) => Number(tagName[1]))",
        );
        expect(levels.filter((level) => level === 1)).toEqual([1]);
        expect(levels.every((level, index) => level <= (levels[index - 1] ?? 0) + 1)).toBe(true);
      }
    },
  );

  it("shows the crash in four frames on its first screen, with the laboratory's own numbers below", async () => {
    const page = await open("/", { viewport: { width: 1440, height: 900 } });
    const frames = page.locator(".frames svg[role=img]");
    expect(await frames.count()).toBe(4);
    for (const frame of await frames.all()) {
      const box = await frame.boundingBox();
      expect((box?.y ?? 900) + (box?.height ?? 0)).toBeLessThan(900);
    }
    const results: { outcome: { counts: { faults: number } } }[] = JSON.parse(
      await readFile("docs/reliability.json", "utf8"),
    );
    const faults = results.reduce((sum, { outcome }) => sum + outcome.counts.faults, 0);
    expect(await page.locator(".proof strong").first().textContent()).toBe(faults.toLocaleString("en"));
  });

  it("has the tour first in its sidebar, which names no files", async () => {
    const page = await open("/docs/tour", { viewport: { width: 1440, height: 900 } });
    const entries = await page.locator(".VPSidebar a .text").allTextContents();
    expect(entries[0]).toBe("A tour");
    expect(entries.filter((entry) => /^[A-Z]+$|\.md$|^examples$/.test(entry.replace("HTTP", "")))).toEqual(
      [],
    );
    expect(await page.locator(".VPSidebar .is-active .text").first().textContent()).toBe("A tour");
  });

  it("has every code block in its column at 1440 pixels, most without a line that goes on below", async () => {
    // The pages are written whole: without their scripts they take half as long.
    const context = await browser.newContext({
      viewport: { width: 1440, height: 900 },
      javaScriptEnabled: false,
    });
    onTestFinished(() => context.close());
    const page = await context.newPage();
    const paths = (await readdir("dist-site", { recursive: true })).filter((file) => file.endsWith(".html"));
    let [blocks, broken] = [0, 0];
    for (const path of paths) {
      await page.goto(`${url}/${path}`, { waitUntil: "load" });
      const found = await page.evaluate<{ text: string; over: number; isBroken: boolean }[]>(
        `[...document.querySelectorAll("#VPContent pre")].map((block) => ({
          text: block.textContent.slice(0, 80),
          over: block.scrollWidth - block.clientWidth,
          isBroken: [...block.querySelectorAll(".line")].some((line) => line.offsetHeight > 30),
        }))`,
      );
      expect({ path, over: found.filter(({ over }) => over > 0) }).toEqual({ path, over: [] });
      blocks += found.length;
      broken += found.filter(({ isBroken }) => isBroken).length;
    }
    expect(blocks).toBeGreaterThan(500);
    expect(broken / blocks).toBeLessThan(0.15);
  });

  it("draws each sequence of the tour, with texts that a phone shows inside of it at 12 pixels or more", async () => {
    const text = await readFile("docs/tour.md", "utf8");
    const written = text.match(/^```mermaid$/gm) ?? [];
    expect(written.length).toBe(12);
    // It promises to take 25 minutes.
    expect(text.split(/\s+/).length).toBeLessThanOrEqual(3_500);
    const page = await open("/docs/tour", { viewport: { width: 390, height: 844 } });
    expect(await page.locator("svg.sequence").count()).toBe(written.length);
    const texts = await page.evaluate<{ pixels: number; isInside: boolean }[]>(
      `[...document.querySelectorAll("svg.sequence text")].map((text) => {
        const [frame, box] = [text.ownerSVGElement, text].map((element) => element.getBoundingClientRect());
        return {
          text: text.textContent,
          pixels: (parseFloat(getComputedStyle(text).fontSize) * frame.width) / 360,
          isInside: box.left >= frame.left && box.right <= frame.right,
        };
      })`,
    );
    expect(texts.length).toBeGreaterThan(80);
    expect(texts.filter(({ pixels, isInside }) => pixels < 12 || !isInside)).toEqual([]);
  });

  it("finds what people look for among its first five results", async () => {
    const at = await open("/");
    await at.keyboard.press("Control+k");
    const hrefs = () =>
      at
        .locator("#localsearch-list a")
        .evaluateAll((links) => links.map((link) => String(link.getAttribute("href"))));
    for (const [query, page] of [
      ["nestjs", /nestjs|from-bullmq/],
      ["docker", /deploy/],
      ["stripe", /providers\/stripe/],
      ["duplicate email", /providers\/smtp/],
    ] as const) {
      await at.locator("#localsearch-input").fill(query);
      await until(`${query} is found`, async () =>
        (await hrefs()).slice(0, 5).some((href) => page.test(href)),
      );
    }
  });

  it("has no guide that leads nowhere", async () => {
    const page = await open("/");
    const links = await page
      .locator(".landing a[href^='/']")
      .evaluateAll((all) => all.map((link) => String(link.getAttribute("href"))));
    expect(links.length).toBeGreaterThan(15);
    for (const link of new Set(links))
      expect({ link, status: (await fetch(url + link)).status }).toEqual({ link, status: 200 });
  });
});

import { type Browser, chromium, type Page } from "playwright-core";

/** Viewports that every page must support. */
export const viewports = {
  desktop: { width: 1440, height: 900 },
  phone: { width: 390, height: 844 },
} as const;

/** Starts the machine's Chromium, or the one `CHROMIUM_PATH` names. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
}

/** Texts that overflow without being shortened with "…". */
export function cutTexts(page: Page): Promise<string[]> {
  return page.evaluate<
    string[]
  >(`[...document.querySelectorAll("main :is(p, h1, h2, h3, dt, dd, li, button)")]
    .filter((element) => element.scrollWidth > element.clientWidth && element.clientWidth > 0)
    .filter((element) => getComputedStyle(element).textOverflow !== "ellipsis")
    .map((element) => element.textContent.slice(0, 100))`);
}

/** Texts smaller than 12 pixels. */
export function smallTexts(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(`[...document.querySelectorAll("body *")]
    .filter((element) => [...element.childNodes].some(({ nodeType, data }) => nodeType === 3 && data.trim() !== ""))
    .filter((element) => element.checkVisibility() && parseFloat(getComputedStyle(element).fontSize) < 12)
    .map((element) => element.outerHTML.slice(0, 100))`);
}

/** By how many pixels a page is wider than its viewport; 0 without sideways scrolling. */
export function sidewaysScroll(page: Page): Promise<number> {
  return page.evaluate<number>("document.documentElement.scrollWidth - document.documentElement.clientWidth");
}

import { defineJob, InDoubtError } from "holdfast";
import type { Api } from "holdfast/server";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { launchBrowser } from "../../support/browser.ts";
import { openConsole, untilLoaded } from "../../support/console-page.ts";
import { applicationOf, createService, untilState } from "../../support/service.ts";

/** Turns what follows around, and shows itself nowhere. */
const OVERRIDES = "\u202e\u2066\u200f\u{e0001}";
const HIDDEN = /.{0,40}[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u{e0001}]/u;
/** Joiners make one picture of several, and right-to-left letters need no control. */
const KEY = `pay-👩‍💻-שלום-نمی‌خواهم-${OVERRIDES}7`;
const SHOWN = `pay-👩‍💻-שלום-نمی‌خواهم-····7`;

/** All that a page shows, and reads aloud. */
const textsOf = `[document.title, document.body.innerText, ...[...document.querySelectorAll("*")].flatMap((element) =>
  ["title", "aria-label"].map((name) => element.getAttribute(name)))].join(" ")`;

const job = defineJob({
  type: "payment",
  payload: z.unknown(),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 10_000,
  effects: { charge: { timeoutMs: 5_000, inDoubt: "hold" } },
});
const handler = job.handler(async ({ effect, log }) => {
  log.info(`logged ${OVERRIDES} line`);
  await effect("charge", () => Promise.reject(new InDoubtError(`answered ${OVERRIDES} never`)));
});

const stops: (() => Promise<void>)[] = [];
let api: Api;
let browser: Browser;
let id = "";

beforeAll(async () => {
  const service = createService(applicationOf(handler), {}, (stop) => stops.push(stop));
  const [producer] = await Promise.all([service.createProducer(), service.startWorker()]);
  [browser, api, { id }] = await Promise.all([
    launchBrowser(),
    service.startApi(),
    producer.submit(job, { [`a${OVERRIDES}`]: OVERRIDES, ok: "نمی‌خواهم" }, { idempotencyKey: KEY }),
  ]);
  await untilState(producer, id, "failed");
});
afterAll(async () => {
  await browser.close();
  for (const stop of stops.reverse()) await stop();
});

describe("the console", () => {
  it("shows characters that turn a text around, or that nobody sees, as dots and escapes", async () => {
    const { page, open, complaints } = await openConsole(browser, api.url);
    const hidden = async () => HIDDEN.exec(await page.evaluate<string>(textsOf))?.[0];

    await open("doubts");
    await page.getByRole("link", { name: SHOWN }).waitFor();
    expect(await hidden()).toBeUndefined();
    await page.getByRole("button", { name: /^Resolve/ }).click();
    await page.getByRole("dialog").getByText(SHOWN).waitFor();
    expect(await hidden()).toBeUndefined();
    for (const path of ["failed", "jobs", `jobs/${id}`]) {
      await open(path);
      await untilLoaded(page);
      expect(await hidden()).toBeUndefined();
    }

    await page.getByText("logged ···· line").waitFor();
    const payload = JSON.parse(
      (await page.getByRole("region", { name: "Payload, JSON" }).textContent()) ?? "",
    );
    expect(payload).toEqual({ [`a${OVERRIDES}`]: OVERRIDES, ok: "نمی‌خواهم" });
    expect(await page.title()).toContain(SHOWN);
    expect(complaints).toEqual([]);
  });
});

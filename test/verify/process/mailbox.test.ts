import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTransport } from "nodemailer";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Mailbox, startMailbox } from "../../../dev/mailbox/start-mailbox.ts";
import { composeWelcomeEmail } from "../../../jobs/welcome-email/compose.ts";
import { launchBrowser, sidewaysScroll, viewports } from "../../support/browser.ts";

const script = "<script>parent.document.title = document.title = 'executed'</script>";
const hostileHtml = `${script}
  <img src="x" onerror="parent.document.title = 'executed'">
  <meta http-equiv="refresh" content="0; url=https://example.com/">
  <svg onload="parent.document.title = 'executed'"></svg>
  <a href="javascript:parent.document.title = 'executed'">press me</a>
  <form action="https://example.com/"><button>send me</button></form>
  <p>${"wide".repeat(300)}</p>`;

let browser: Browser;
let directory: string;
let mailbox: Mailbox;
let page: Page;

beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "holdfast-mailbox-"));
  mailbox = await startMailbox({ directory, smtpPort: 0, pagePort: 0 });
});
afterEach(async () => {
  await page.context().close();
  await mailbox.stop();
  await rm(directory, { recursive: true, force: true });
});

const send = (message: object) =>
  createTransport(mailbox.smtpUrl, { from: "Holdfast <holdfast@localhost>" }).sendMail(message);

const sendWelcome = (name: string) =>
  send(
    composeWelcomeEmail({ email: "anoop@example.com", name, message: "Your job system is live." }, "job-1"),
  );

/** Requests of the page and its frames outside the mailbox. */
function foreignRequests(): string[] {
  const urls: string[] = [];
  page.on("request", (request) => {
    if (/^https?:/.test(request.url()) && !request.url().startsWith(mailbox.pageUrl))
      urls.push(request.url());
  });
  return urls;
}

describe.each(["desktop", "phone"] as const)("the mailbox on a %s", (device) => {
  beforeEach(async () => {
    const context = await browser.newContext({ viewport: viewports[device] });
    page = await context.newPage();
  });

  it("shows that there is no mail yet", async () => {
    await page.goto(mailbox.pageUrl);

    expect(await page.getByRole("heading").textContent()).toBe("No mail yet.");
  });

  it("lists a mail, and opens its text, HTML and file", async () => {
    await sendWelcome("Anoop");
    await page.goto(mailbox.pageUrl);
    expect(await sidewaysScroll(page)).toBe(0);

    await page.getByRole("link", { name: "Welcome, Anoop" }).click();

    expect(await page.getByRole("heading", { level: 1 }).textContent()).toBe("Welcome, Anoop");
    expect(await page.locator("pre").textContent()).toContain("Your job system is live.");
    expect(await page.frameLocator("iframe").getByRole("heading").textContent()).toBe("Welcome, Anoop");
    expect(await sidewaysScroll(page)).toBe(0);

    await page.getByRole("link", { name: ".eml" }).click();
    expect(await page.textContent("body")).toContain("Subject: Welcome, Anoop");
  });

  it("fits the width whatever the mail contains", async () => {
    await send({
      to: "a@example.com",
      subject: "wide".repeat(100),
      text: "wide".repeat(300),
      html: hostileHtml,
    });

    await page.goto(mailbox.pageUrl);
    expect(await sidewaysScroll(page)).toBe(0);

    await page.locator(".mails a").click();
    expect(await sidewaysScroll(page)).toBe(0);
  });
});

describe("the mailbox in a browser", () => {
  beforeEach(async () => {
    page = await (await browser.newContext()).newPage();
  });

  it("shows a new mail by itself", async () => {
    await page.goto(mailbox.pageUrl);

    await sendWelcome("Anoop");

    await page.getByText("Welcome, Anoop").waitFor({ timeout: 20_000 });
  });

  it("executes nothing from a mail, and fetches nothing for it", async () => {
    const foreign = foreignRequests();
    await send({
      to: { name: script, address: "a@example.com" },
      subject: script,
      text: script,
      html: hostileHtml,
    });
    await page.goto(mailbox.pageUrl);
    await page.locator(".mails a").click();
    const frame = page.frameLocator("iframe");

    await frame.getByRole("link", { name: "press me" }).press("Enter");
    await frame.getByRole("button", { name: "send me" }).press("Enter");

    expect(await page.title()).toBe(script);
    expect(page.frames().at(1)?.url()).toMatch(/\/html$/);
    expect(foreign).toEqual([]);
  });

  it.each(["light", "dark"] as const)("uses the reader's %s colours", async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    await page.goto(mailbox.pageUrl);

    const brightness = await page.evaluate<number>(
      "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((sum, part) => sum + Number(part), 0)",
    );

    expect(brightness > 384).toBe(colorScheme === "light");
  });
});

import { randomUUID } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from "vitest";
import { application } from "../support/application.ts";
import { launchBrowser } from "../support/browser.ts";
import { bundleForBrowser } from "../support/browser-bundle.ts";
import { launchRole, urlOf, withProcesses } from "../support/processes.ts";
import { startReplyProxy } from "../support/reply-proxy.ts";
import { createService } from "../support/service.ts";
import { until } from "../support/until.ts";

let browser: Browser;
let bundle: string;

beforeAll(async () => {
  [browser, bundle] = await Promise.all([launchBrowser(), bundleForBrowser("edges/client/index.js")]);
});
afterAll(() => browser.close());

/** A page of the API's own origin, as behind a proxy that serves both, with a client in `window.client`. */
async function openPage(url: string): Promise<Page> {
  const context = await browser.newContext();
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const files: Record<string, { contentType: string; body: string }> = {
    "/shop": {
      contentType: "text/html",
      body: `<script type="module">
        import { createClient } from "./client.js";
        window.client = createClient({ url: "/" });
      </script>`,
    },
    "/client.js": { contentType: "text/javascript", body: bundle },
  };
  for (const [path, file] of Object.entries(files))
    await page.route(`${url}${path}`, (route) => route.fulfill(file));
  await page.goto(`${url}/shop`);
  return page;
}

const submit = (key: string) =>
  `client.submit("echo", { from: "a page" }, { idempotencyKey: ${JSON.stringify(key)} })`;

describe("the client in a browser", () => {
  it("needs no package, and is small", () => {
    expect(gzipSync(bundle).length).toBeLessThan(8 * 1_024);
  });

  it("submits, waits and follows", async () => {
    const service = createService(application);
    const [api] = await Promise.all([service.startApi(), service.startWorker()]);
    const page = await openPage(api.url);

    const seen = await page.evaluate<{ states: string[]; result: unknown; code: string }>(`(async () => {
      const { id } = await ${submit("page-1")};
      const states = [];
      for await (const { state } of client.follow(id)) states.push(state);
      const { result } = await client.wait(id);
      const { code } = await client.wait("default_none").catch((error) => error);
      return { states, result, code };
    })()`);

    expect(seen.states.at(-1)).toBe("completed");
    expect(seen).toMatchObject({ result: { from: "a page" }, code: "JOB_NOT_FOUND" });
  });

  it("makes one job although the API is killed between storing it and answering", withProcesses, async () => {
    const proxy = await startReplyProxy(inject("redisUrl"));
    const service = createService(application);
    const env = { ...service.env, REDIS_URL: proxy.url };
    const api = await launchRole("api", env);
    const url = urlOf(api);
    const page = await openPage(url);
    const key = randomUUID();
    const queue = service.openBareQueue();
    await page.evaluate(submit("before")); // loads the script, which is one more round trip

    proxy.holdBack((sent) => sent.includes(key));
    const submitting = page.evaluate<{ id: string; duplicate: boolean }>(submit(key));
    await until("the job is stored", async () => (await queue.getJobCountByTypes("waiting")) === 2);
    api.kill("SIGKILL");
    await api.ended;
    proxy.pass();
    await launchRole("api", { ...env, HOLDFAST_PORT: new URL(url).port });
    const receipt = await submitting;

    expect(receipt).toMatchObject({ duplicate: true });
    expect(await queue.getJobCountByTypes("waiting")).toBe(2);
    expect(await page.evaluate(submit(key))).toMatchObject({ id: receipt.id, duplicate: true });
  });
});

import express from "express";
import { createHandler } from "holdfast/server";
import { expect, it, onTestFinished } from "vitest";
import { application } from "../support/application.ts";
import { launchBrowser } from "../support/browser.ts";
import { openConsole } from "../support/console-page.ts";
import { post } from "../support/http.ts";
import { bearer, keyEntry } from "../support/keys.ts";
import { listen, PREFIX } from "../support/mounts.ts";
import { createService } from "../support/service.ts";

it("the console of a mounted Holdfast signs in, streams, acts and signs out below its path", async () => {
  const browser = await launchBrowser();
  onTestFinished(() => browser.close());
  const keys = keyEntry("ann", "submit+read+operate", "ann-key");
  const { env } = createService(application, { HOLDFAST_API_KEYS: keys });
  const handler = await createHandler(application, { prefix: PREFIX, env });
  onTestFinished(handler.stop);
  const url = await listen(express().use(express.json()).use(handler.node));
  const submission = { type: "echo", payload: 1, idempotencyKey: "order-1" };
  const { id } = (await post(`${url}${PREFIX}/jobs`, submission, bearer("ann-key"))).body;
  const { page } = await openConsole(browser, `${url}${PREFIX}`);

  await page.goto(`${url}${PREFIX}/console`);
  await page.getByLabel("Key").fill("ann-key");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("Live", { exact: true }).waitFor();
  expect(await page.context().cookies()).toMatchObject([
    { path: PREFIX, httpOnly: true, sameSite: "Strict" },
  ]);

  await page.goto(`${url}${PREFIX}/console/jobs/${id}`);
  await page.getByRole("heading", { name: "order-1" }).waitFor();
  await page.getByRole("button", { name: "Cancel" }).first().click();
  await page
    .getByRole("alertdialog")
    .getByRole("button", { name: /^Cancel/ })
    .first()
    .click();
  await page.getByText("cancelled", { exact: true }).first().waitFor();

  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Key").waitFor();
  expect(await page.context().cookies()).toEqual([]);
});

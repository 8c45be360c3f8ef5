import { runHandler } from "holdfast/testing";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { webhookHandler } from "./handler.ts";

const payload = { url: "https://example.com/webhooks", event: { type: "invoice.paid", data: {} } };

beforeEach(() => vi.stubEnv("WEBHOOK_SECRET", `whsec_${Buffer.alloc(24).toString("base64")}`));
afterEach(() => vi.unstubAllEnvs());

it("does not deliver again what an earlier attempt has delivered", async () => {
  const delivered = { done: { status: 204 } };
  expect(await runHandler(webhookHandler, payload, { effects: { deliver: delivered } })).toMatchObject({
    result: { status: 204 },
    effects: [{ ran: false }],
  });
});

it("has no status if a person resolved it as delivered", async () => {
  const resolved = { done: undefined };
  expect(await runHandler(webhookHandler, payload, { effects: { deliver: resolved } })).toMatchObject({
    result: { status: null },
    logs: [{ message: "webhook delivered", fields: { host: "example.com", status: null } }],
  });
});

it("never calls an address that is not public", async () => {
  const local = { ...payload, url: "https://127.0.0.1/webhooks" };
  expect(await runHandler(webhookHandler, local)).toMatchObject({
    state: "failed",
    effects: [{ state: "not-done", ran: true }],
  });
});

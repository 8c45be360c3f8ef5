import { describe, expect, it } from "vitest";
import { check, pathOf } from "../../src/platform/lib/schema.ts";
import { webhook } from "./contract.ts";

const event = { type: "invoice.paid", data: { invoice: "in-42" } };
const faultsOf = (payload: unknown) =>
  check(webhook.payload, payload).issues?.map((issue) => `${pathOf(issue).join(".")}: ${issue.message}`);

describe("the payload of a webhook", () => {
  it.each([
    { url: "https://example.com/hooks?a=b", event },
    { url: "http://localhost:3001", event: { ...event, timestamp: "2026-11-24T10:00:00+01:00" } },
    { url: "https://xn--bcher-kva.example/", event: { ...event, data: {} } },
  ])("may be %j", (payload) => {
    expect(check(webhook.payload, payload)).toEqual({ value: payload });
  });

  it.each([
    ["ftp://example.com/", "url: expected an http or https URL"],
    ["javascript:alert(1)", "url: expected an http or https URL"],
    ["file:///etc/passwd", "url: expected an http or https URL"],
    ["unix:///var/run/docker.sock", "url: expected an http or https URL"],
    ["example.com", "url: expected an http or https URL"],
    ["", "url: expected an http or https URL"],
    ["https://user@example.com/", expect.stringMatching(/^url: expected a URL without user name/)],
    ["https://:secret@example.com/", expect.stringMatching(/^url: expected a URL without user name/)],
  ])("must not go to %s", (url, fault) => {
    expect(faultsOf({ url, event })).toEqual([fault]);
  });

  it.each(["", ".", "a.", ".a", "a b", "a\nb"])("must not be of type %j", (type) => {
    expect(faultsOf({ url: "https://example.com", event: { ...event, type } })).toEqual([
      expect.stringMatching(/^event.type: /),
    ]);
  });

  it("has bounded parts", () => {
    const url = `https://example.com/${"x".repeat(2_048)}`;
    const type = "x".repeat(201);

    expect(faultsOf({ url, event })).toEqual(["url: expected at most 2048 characters"]);
    expect(faultsOf({ url: "https://example.com", event: { ...event, type } })).toHaveLength(1);
  });

  it("must have no unknown members", () => {
    expect(faultsOf({ url: "https://example.com", event, headers: {} })).toHaveLength(1);
    expect(faultsOf({ url: "https://example.com", event: { ...event, id: "1" } })).toHaveLength(1);
  });
});

import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { application } from "../support/application.ts";
import { call, get } from "../support/http.ts";
import { createService } from "../support/service.ts";

const digest = (token: string) => createHash("sha256").update(token).digest("hex");

const service = createService(
  application,
  { HOLDFAST_API_KEYS: `writer:submit:${digest("w-token")},all:submit+read+operate:${digest("a-token")}` },
  afterAll,
);
let root: string;
beforeAll(async () => {
  root = (await service.startApi()).url;
});

const submission = { type: "echo", payload: 1, idempotencyKey: "k" };
const submit = (headers: Readonly<Record<string, string>>) =>
  call(`${root}/jobs`, "POST", submission, headers);
const read = (headers: Readonly<Record<string, string>>) =>
  call(`${root}/jobs/default_019ab3c2-7c1e-7d3a-9a54-0123456789ab/status`, "GET", undefined, headers);

describe("an API with keys", () => {
  it.each<Readonly<Record<string, string>>>([
    {},
    { authorization: "" },
    { authorization: "Bearer" },
    { authorization: "Bearer wrong" },
    { authorization: `Bearer ${digest("w-token")}` },
    { authorization: "Basic w-token" },
    { authorization: "w-token" },
    { authorization: `Bearer ${"w".repeat(8_000)}` },
  ])("answers 401 without a valid one: %j", async (headers) => {
    for (const refused of [await submit(headers), await read(headers)]) {
      expect(refused).toMatchObject({ status: 401, body: { code: "UNAUTHENTICATED" } });
      expect(refused.headers.get("www-authenticate")).toBe("Bearer");
    }
  });

  it("lets a key do what its scopes allow, and answers 403 to the rest", async () => {
    const writer = { authorization: "Bearer w-token" };

    expect(await submit(writer)).toMatchObject({ status: 202 });
    expect(await read(writer)).toMatchObject({ status: 403, body: { code: "FORBIDDEN" } });
    expect(await read({ authorization: "bearer a-token" })).toMatchObject({ status: 404 });
  });

  it("shows its health and its reference to everybody", async () => {
    for (const path of ["/health/live", "/health/ready", "/openapi.json"]) {
      expect(await get(root + path)).toMatchObject({ status: 200 });
    }
  });
});

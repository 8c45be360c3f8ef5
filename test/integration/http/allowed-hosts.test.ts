import diagnostics from "node:diagnostics_channel";
import type { FastifyInstance, RouteOptions } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { application } from "../../support/application.ts";
import { sendRaw } from "../../support/http.ts";
import { keyEntry } from "../../support/keys.ts";
import { createService } from "../../support/service.ts";

const routes: RouteOptions[] = [];
let root: string;
// Not in `beforeAll`, where `afterAll` does nothing.
const service = createService(application, {}, afterAll);

beforeAll(async () => {
  const watchRoutes = (message: unknown) => {
    const { fastify: server } = message as { fastify: FastifyInstance };
    server.addHook("onRoute", (route) => void routes.push(route));
  };
  diagnostics.subscribe("fastify.initialization", watchRoutes);
  root = (await service.startApi()).url;
  diagnostics.unsubscribe("fastify.initialization", watchRoutes);
});

/** Sends a raw request line and headers, because `fetch` forbids choosing a Host. */
async function ask(line: string, headers: readonly string[], url = root) {
  const request = `${[line, ...headers, "Connection: close"].join("\r\n")}\r\n\r\n`;
  const answer = await sendRaw(url, request);
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  return { status: Number(head.split(" ")[1]), head: head.toLowerCase(), body };
}

const EVIL = "Host: evil.example:3000";

describe("without API keys, a page that rebinds its own name to this machine", () => {
  it("is refused on every route, with every method", async () => {
    const wanted = routes.flatMap(({ method, url }) => [method].flat().map((name) => `${name} ${url}`));
    expect(wanted.length).toBeGreaterThan(50);
    for (const line of new Set(wanted)) {
      const path = line.replaceAll(/:\w+|\*/g, "x");
      expect(await ask(`${path} HTTP/1.1`, [EVIL, "Content-Length: 0"]), line).toMatchObject({ status: 421 });
    }
  });

  it.each([
    "GET /nowhere HTTP/1.1",
    "PROPFIND / HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "GET /%zz HTTP/1.1",
    "GET /%c0%af HTTP/1.1",
    "GET //jobs HTTP/1.1",
    "GET /console/../jobs HTTP/1.1",
    `GET /jobs/${"x".repeat(10_000)} HTTP/1.1`,
    "GET /jobs HTTP/1.0",
    "GET http://evil.example/jobs HTTP/1.1",
    "GET http://localhost/jobs HTTP/1.1",
  ])("is refused at %s", async (line) => {
    expect(await ask(line, [EVIL])).toMatchObject({ status: 421 });
  });

  it("gets a problem that names what was found and what to set", async () => {
    const headers = [
      EVIL,
      "X-Forwarded-Host: localhost",
      "Forwarded: host=localhost",
      "Origin: http://evil.example:3000",
      "Sec-Fetch-Site: same-origin",
    ];
    const { head, body } = await ask("GET /jobs HTTP/1.1", headers);

    expect(head).toContain("content-type: application/problem+json");
    expect(JSON.parse(body)).toEqual({
      type: "urn:holdfast:error:HOST_NOT_ALLOWED",
      title: "This host name is not served",
      status: 421,
      code: "HOST_NOT_ALLOWED",
      detail: expect.stringMatching(/localhost.*HOLDFAST_ALLOWED_HOSTS, got "evil\.example:3000"$/),
    });
  });

  it("is refused an event stream", async () => {
    const { status, body } = await ask("GET /overview HTTP/1.1", [EVIL, "Accept: text/event-stream"]);

    expect({ status, body }).toMatchObject({ status: 421, body: expect.not.stringContaining("event:") });
  });

  it("is refused if it names two hosts, or none", async () => {
    expect((await ask("GET /jobs HTTP/1.1", ["Host: localhost", EVIL])).status).toBe(400);
    expect((await ask("GET /jobs HTTP/1.0", [])).status).toBe(421);
    expect((await ask("GET /jobs HTTP/1.1", ["Host:"])).status).toBe(421);
    expect((await ask("GET http://evil.example/jobs HTTP/1.1", ["Host: localhost"])).status).toBe(421);
  });
});

describe("without API keys, the service", () => {
  it.each(["localhost", "LOCALHOST.:3000", "app.localhost:3000", "127.1.2.3", "[::1]:3000"])(
    "answers under the name %s",
    async (host) => {
      expect((await ask("GET /jobs HTTP/1.1", [`Host: ${host}`])).status).toBe(200);
      expect((await ask("GET /health/live HTTP/1.0", [`Host: ${host}`])).status).toBe(200);
    },
  );

  it("answers under the names of HOLDFAST_ALLOWED_HOSTS", async () => {
    const { url } = await createService(application, {
      HOLDFAST_ALLOWED_HOSTS: "jobs.example,10.0.0.5:3000",
    }).startApi();
    const statusFor = async (host: string) =>
      (await ask("GET /jobs HTTP/1.1", [`Host: ${host}`], url)).status;

    expect(await statusFor("Jobs.example:8443")).toBe(200);
    expect(await statusFor("10.0.0.5:3000")).toBe(200);
    expect(await statusFor("localhost")).toBe(200);
    expect(await statusFor("10.0.0.5")).toBe(421);
    expect(await statusFor("evil.example")).toBe(421);
  });
});

describe("with API keys, the service", () => {
  it("answers under every name, because a stranger's page has no key", async () => {
    const { url } = await createService(application, {
      HOLDFAST_API_KEYS: keyEntry("reader", "read", "reader-key"),
    }).startApi();

    expect((await ask("GET /jobs HTTP/1.1", [EVIL], url)).status).toBe(401);
    expect((await ask("GET /jobs HTTP/1.1", [EVIL, "Authorization: Bearer reader-key"], url)).status).toBe(
      200,
    );
    expect((await ask("GET /health/live HTTP/1.1", [EVIL], url)).status).toBe(200);
  });
});

import { type Api, startApi } from "holdfast/server";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { application } from "../../support/application.ts";
import { call, sendRaw } from "../../support/http.ts";
import { bearer, keyEntry, signIn } from "../../support/keys.ts";
import { createService } from "../../support/service.ts";

const keys = [keyEntry("ann", "read+operate", "ann-key"), keyEntry("bob", "submit+read", "bob-key")];
const service = createService(application, { HOLDFAST_API_KEYS: keys.join(",") }, afterAll);
let root: string;
beforeAll(async () => {
  root = (await service.startApi()).url;
});

type Headers = Readonly<Record<string, string>>;
const ask = (method: string, path: string, headers: Headers, url = root) =>
  call(`${url}${path}`, method, undefined, headers);
const fromConsole = { "x-holdfast-console": "1" };

/** Another process of the same service, with other keys. */
async function startWith(...entries: readonly string[]): Promise<Api> {
  const api = await startApi(application, { ...service.env, HOLDFAST_API_KEYS: entries.join(",") });
  onTestFinished(api.stop);
  return api;
}

describe("POST /session", () => {
  it("exchanges a key for a cookie that expires, and that neither scripts nor other sites can use", async () => {
    const answer = await ask("POST", "/session", bearer("ann-key"));

    expect(answer).toMatchObject({ status: 200, body: { name: "ann", scopes: ["read", "operate"] } });
    expect(answer.headers.get("set-cookie")).toMatch(
      /^test-[0-9a-f-]+-session=ann\.\d{10}\.[\w-]{43}; Max-Age=43200; HttpOnly; SameSite=Strict$/,
    );
  });

  it.each<Headers>([{ "x-forwarded-proto": "https" }, { origin: "https://ops.example" }])(
    "makes the cookie one for HTTPS alone where the browser came by it: %j",
    async (headers) => {
      const { headers: answered } = await ask("POST", "/session", { ...bearer("ann-key"), ...headers });

      expect(answered.get("set-cookie")).toMatch(/; Secure; SameSite=Strict$/);
    },
  );

  it("opens no session without a valid key, or with only a session", async () => {
    const session = await signIn(root, "ann-key");

    for (const headers of [{}, bearer("guessed"), { ...session, ...fromConsole }]) {
      const answer = await ask("POST", "/session", headers);
      expect(answer).toMatchObject({ status: 401, body: { code: "UNAUTHENTICATED" } });
      expect(answer.headers.get("set-cookie")).toBeNull();
    }
  });
});

describe("a session", () => {
  it("identifies itself, and may do what its key may, in every process of the service", async () => {
    const session = await signIn(root, "ann-key");
    const { url } = await startWith(...keys);

    expect(await ask("GET", "/session", session, url)).toMatchObject({
      status: 200,
      body: { name: "ann", scopes: ["read", "operate"] },
    });
    expect(await ask("GET", "/jobs", session, url)).toMatchObject({ status: 200 });
    expect(await ask("POST", "/jobs", { ...session, ...fromConsole }, url)).toMatchObject({
      status: 403,
      body: { code: "FORBIDDEN" },
    });
  });

  it("may open event streams", async () => {
    const session = await signIn(root, "ann-key");
    const over = new AbortController();
    const stream = await fetch(`${root}/overview`, {
      headers: { ...session, accept: "text/event-stream" },
      signal: over.signal,
    });
    over.abort();

    expect(stream.status).toBe(200);
    expect(stream.headers.get("content-type")).toMatch(/^text\/event-stream/);
  });

  it("ends when its key is removed from the configuration, replaced, or loses a scope", async () => {
    const session = await signIn(root, "ann-key");
    const without = await startWith(keyEntry("bob", "submit+read", "bob-key"));
    const replaced = await startWith(keyEntry("ann", "read+operate", "another-key"));
    const lessened = await startWith(keyEntry("ann", "submit", "ann-key"));

    expect(await ask("GET", "/jobs", session, without.url)).toMatchObject({ status: 401 });
    expect(await ask("GET", "/jobs", session, replaced.url)).toMatchObject({ status: 401 });
    expect(await ask("GET", "/jobs", session, lessened.url)).toMatchObject({ status: 403 });
  });

  it("ends by itself after twelve hours", async () => {
    const session = await signIn(root, "ann-key");
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 12 * 3_600_000 });
    onTestFinished(() => void vi.useRealTimers());

    expect(await ask("GET", "/jobs", session)).toMatchObject({ status: 401 });
  });

  it("can neither be extended nor changed to another name", async () => {
    const { cookie } = await signIn(root, "ann-key");
    const [, name = "", expires = "", mac = ""] = /=(\w+)\.(\d+)\.(.+)$/.exec(cookie) ?? [];
    const forged = [
      cookie.replace(name, "bob"),
      cookie.replace(expires, String(Number(expires) + 1)),
      cookie.replace(mac, `${mac.startsWith("A") ? "B" : "A"}${mac.slice(1)}`),
      cookie.replace(mac, ""),
      cookie.replace(expires, "99999999999999999999"),
    ];

    for (const each of forged) {
      expect(await ask("GET", "/jobs", { cookie: each })).toMatchObject({ status: 401 });
    }
  });

  it("does not replace an unknown key in the same request", async () => {
    const session = await signIn(root, "ann-key");

    expect(await ask("GET", "/jobs", { ...session, ...bearer("guessed") })).toMatchObject({ status: 401 });
  });

  it("is ended by DELETE /session, even if it has ended already", async () => {
    const answer = await ask("DELETE", "/session", {});

    expect(answer.status).toBe(204);
    expect(answer.headers.get("set-cookie")).toMatch(/-session=; Max-Age=0; HttpOnly; SameSite=Strict$/);
  });
});

describe("a request that changes something", () => {
  const retry = "/jobs/default_019ab3c2-7c1e-7d3a-9a54-0123456789ab/retry";
  const refused = { status: 403, body: { code: "CROSS_SITE_REQUEST" } };
  const passed = { status: 404, body: { code: "JOB_NOT_FOUND" } };

  it("needs a browser's or the console's statement that the page is ours, if it uses a session", async () => {
    const session = await signIn(root, "ann-key");

    expect(await ask("POST", retry, session)).toMatchObject(refused);
    expect(await ask("POST", retry, { ...session, "sec-fetch-site": "same-site" })).toMatchObject(refused);
    expect(await ask("POST", retry, { ...session, "sec-fetch-site": "none" })).toMatchObject(refused);
    expect(
      await ask("POST", retry, { ...session, ...fromConsole, "sec-fetch-site": "cross-site" }),
    ).toMatchObject(refused);
    expect(await ask("POST", retry, { ...session, "sec-fetch-site": "same-origin" })).toMatchObject(passed);
    expect(await ask("POST", retry, { ...session, ...fromConsole })).toMatchObject(passed);
  });

  it("is refused for a page of another site, even without keys or with one", async () => {
    const open = await createService(application).startApi();
    const site = { "sec-fetch-site": "cross-site" };

    expect(await ask("POST", retry, site, open.url)).toMatchObject(refused);
    expect(await ask("POST", retry, { ...site, ...bearer("ann-key") })).toMatchObject(refused);
    expect(await ask("POST", retry, {}, open.url)).toMatchObject(passed);
  });

  it.each<[string, Headers]>([
    ["another host", { origin: "http://evil.example" }],
    ["another port", { origin: "http://jobs.example", host: "jobs.example:8080" }],
    ["an origin of its own", { origin: "null" }],
    ["two origins", { origin: "http://jobs.example, http://evil.example" }],
    [
      "another host, with a password for a proxy",
      { origin: "http://evil.example", authorization: "Basic YTpi" },
    ],
  ])("is refused over plain HTTP, where browsers send only Origin, for a page of %s", async (_, headers) => {
    const { url } = await underName("jobs.example");

    expect(await askRaw(url, "POST", { host: "jobs.example", ...headers })).toContain("CROSS_SITE_REQUEST");
    expect(await askRaw(url, "DELETE", { host: "jobs.example", ...headers })).toContain("CROSS_SITE_REQUEST");
    expect(await askRaw(url, "GET", { host: "jobs.example", ...headers })).toContain("404 Not Found");
  });

  it.each<[string, Headers]>([
    ["a program, which sends no Origin", {}],
    ["one of our own pages", { origin: "http://Jobs.example" }],
    ["one of our own pages, at a port", { origin: "http://jobs.example:8080", host: "jobs.example:8080" }],
    ["one of our own pages, through a proxy with TLS", { origin: "https://jobs.example" }],
    [
      "one of our own pages, where the proxy names its port",
      { origin: "https://jobs.example", host: "jobs.example:443" },
    ],
    ["the console, where a proxy changes Host", { origin: "http://ops.example", ...fromConsole }],
    ["whoever sends a key, where a proxy changes Host", { origin: "http://ops.example", ...bearer("any") }],
    ["a page that the browser calls ours", { origin: "http://ops.example", "sec-fetch-site": "same-origin" }],
  ])("is served over plain HTTP for %s", async (_, headers) => {
    const { url } = await underName("jobs.example");

    expect(await askRaw(url, "POST", { host: "jobs.example", ...headers })).toContain("JOB_NOT_FOUND");
  });

  const underName = (name: string) => createService(application, { HOLDFAST_ALLOWED_HOSTS: name }).startApi();

  /** Sends a raw request, because `fetch` forbids choosing Host and Origin. */
  async function askRaw(url: string, method: string, headers: Headers): Promise<string> {
    const path = method === "POST" ? retry : retry.replace("/retry", "");
    const lines = Object.entries({ ...headers, connection: "close" }).map((header) => header.join(": "));
    return await sendRaw(url, `${[`${method} ${path} HTTP/1.1`, ...lines].join("\r\n")}\r\n\r\n`);
  }
});

describe("a service without keys", () => {
  it("has no sessions, and reports that everything is allowed", async () => {
    const { url } = await createService(application).startApi();
    const everything = { name: null, scopes: ["submit", "read", "operate", "act"] };

    const signedIn = await ask("POST", "/session", {}, url);

    expect(signedIn).toMatchObject({ status: 200, body: everything });
    expect(signedIn.headers.get("set-cookie")).toBeNull();
    expect(await ask("GET", "/session", {}, url)).toMatchObject({ status: 200, body: everything });
  });
});

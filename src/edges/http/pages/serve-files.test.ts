import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import fastify from "fastify";
import { expect, it, onTestFinished } from "vitest";
import { asHoldfastError } from "../body/problem.ts";
import { readPageFiles } from "./read-page-files.ts";
import { serveFiles } from "./serve-files.ts";

const text = "export const greeting = 'hello';\n".repeat(100);

function open() {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-pages-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "index.html"), "<!doctype html>");
  writeFileSync(join(folder, "start.js"), text);
  writeFileSync(join(folder, "licenses.md"), "for people with a checkout");
  const server = fastify();
  server.setErrorHandler((error, _request, reply) => reply.code(asHoldfastError(error).statusCode).send());
  serveFiles(server, {
    prefix: "/docs/",
    load: async () => readPageFiles(folder),
    headers: { "X-Content-Type-Options": "nosniff" },
  });
  return (path: string, accepted?: string, more: Record<string, string> = {}) =>
    server.inject({
      url: `/docs/${path}`,
      headers: { ...(accepted && { "accept-encoding": accepted }), ...more },
    });
}

it("serves a file in the best encoding that the client accepts", async () => {
  const ask = open();

  const encodings = ["gzip, deflate, br", "gzip", "br;q=0, gzip;q=0.5", "identity", undefined];
  const answers = await Promise.all(encodings.map((accepted) => ask("start.js", accepted)));

  expect(answers.map(({ headers }) => headers["content-encoding"])).toEqual([
    "br",
    "gzip",
    "gzip",
    undefined,
    undefined,
  ]);
  const [br, gzip, , identity] = answers.map(({ rawPayload }) => rawPayload);
  expect(brotliDecompressSync(br ?? "").toString()).toBe(text);
  expect(gunzipSync(gzip ?? "").toString()).toBe(text);
  expect(identity?.toString()).toBe(text);
  expect(answers[0]?.headers).toMatchObject({
    "content-type": "text/javascript; charset=utf-8",
    "x-content-type-options": "nosniff",
    vary: "Accept-Encoding",
  });
});

it("answers 304 to a browser that has the file, and the page at the folder's own path", async () => {
  const ask = open();

  const page = await ask("");
  const again = await ask("", "br", { "if-none-match": String(page.headers.etag) });

  expect(page.headers["content-type"]).toMatch(/^text\/html/);
  expect([again.statusCode, again.body]).toEqual([304, ""]);
});

it("has nothing but what a page loads", async () => {
  const ask = open();

  for (const path of ["licenses.md", "../package.json", "..%2fpackage.json", "constructor", "__proto__"])
    expect((await ask(path)).statusCode).toBe(404);
});

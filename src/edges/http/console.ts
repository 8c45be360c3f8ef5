import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";
import type { Logger } from "../../platform/lib/logger.ts";
import { packageFile } from "../../platform/lib/package-file.ts";

const BASE = '<base href="./" />';
const YEAR_MS = 365 * 24 * 60 * 60 * 1000;

const headers = { "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer" };

/** Serves the operator's console at `/console/`, if it was built. */
export async function addConsole(server: FastifyInstance, log: Logger): Promise<void> {
  const built = packageFile("dist/console/");
  if (!existsSync(`${built}index.html`)) {
    log.warn("no console: it is not built");
    return;
  }
  const page = readFileSync(`${built}index.html`, "utf8");
  await server.register(async (console) => {
    // The files are public code. The data comes from other routes, which ask for a key.
    console.addHook("onRoute", (route) => {
      route.config = { ...route.config, scope: "public" };
      route.schema = { ...route.schema, hide: true };
    });
    await console.register(fastifyStatic, {
      root: `${built}assets`,
      prefix: "/console/assets/",
      decorateReply: false,
      index: false,
      // Their names contain a hash of their content.
      immutable: true,
      maxAge: YEAR_MS,
      preCompressed: true,
      setHeaders: (reply) => {
        for (const [name, value] of Object.entries(headers)) reply.setHeader(name, value);
      },
    });
    // Relative, because a proxy may have stripped a prefix.
    console.get("/console", (_request, reply) => reply.redirect("console/"));
    console.get("/console/*", ({ url }, reply) => {
      const nonce = randomBytes(16).toString("base64");
      return reply
        .type("text/html; charset=utf-8")
        .headers({ ...headers, "Cache-Control": "no-store", "Content-Security-Policy": policy(nonce) })
        .serializer(String)
        .send(page.replace(BASE, headOf(url, nonce)));
    });
  });
}

/** Allows only what this service sends. The nonce is for React Aria's one style element. */
function policy(nonce: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "connect-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "base-uri 'self'",
    "frame-ancestors 'none'",
    "form-action 'none'",
  ].join("; ");
}

/** @param url below `/console/`; its depth says how many folders up the console is, under any prefix */
function headOf(url: string, nonce: string): string {
  const [path = ""] = url.slice("/console/".length).split(/[?#]/);
  const up = "../".repeat(path.split("/").length - 1);
  return `<base href="${up === "" ? "./" : up}" /><meta property="csp-nonce" nonce="${nonce}" />`;
}

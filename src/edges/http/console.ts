import { randomBytes } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { BASE, serveFiles, textOfFile } from "./pages/serve-files.ts";

const YEAR_S = 365 * 24 * 60 * 60;

const headers = { "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer" };

/** Serves the operator's console at `/console/`, if it was built. */
export async function addConsole(server: FastifyInstance): Promise<void> {
  const load = async () => (await import("./pages/console-files.ts")).consoleFiles;
  await server.register(async (console) => {
    // The files are public code. The data comes from other routes, which ask for a key.
    console.addHook("onRoute", (route) => {
      route.config = { ...route.config, scope: "public" };
      route.schema = { ...route.schema, hide: true };
    });
    // Their names contain a hash of their content.
    const immutable = { "Cache-Control": `public, max-age=${YEAR_S}, immutable` };
    serveFiles(console, {
      prefix: "/console/assets/",
      folder: "assets/",
      load,
      headers: { ...headers, ...immutable },
    });
    const sendPage = async ({ url }: FastifyRequest, reply: FastifyReply) => {
      const nonce = randomBytes(16).toString("base64");
      const page = textOfFile(await load(), "index.html");
      return reply
        .type("text/html; charset=utf-8")
        .headers({ ...headers, "Content-Security-Policy": policy(nonce) })
        .serializer(String)
        .send(page.replace(BASE, headOf(url, nonce)));
    };
    // No redirect to a slash at its end: Next.js and others redirect the other way.
    console.get("/console", sendPage);
    console.get("/console/*", sendPage);
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

/** @param url `/console` or below; its depth says where the console is, under any prefix that a proxy may have stripped */
function headOf(url: string, nonce: string): string {
  const [path = ""] = url.split(/[?#]/);
  const depth = path.split("/").length - "/console/".split("/").length;
  const home = depth < 0 ? "console/" : "../".repeat(depth) || "./";
  return `<base href="${home}" /><meta property="csp-nonce" nonce="${nonce}" />`;
}

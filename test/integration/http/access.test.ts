import diagnostics from "node:diagnostics_channel";
import fastify, { type FastifyInstance, type RouteOptions } from "fastify";
import type { HoldfastError } from "holdfast";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { guardRoutes } from "../../../src/edges/http/guard/access.ts";
import { openSessions } from "../../../src/edges/http/guard/sessions.ts";
import { readSettings } from "../../../src/platform/config/settings.ts";
import { createCodec } from "../../../src/platform/redis/encryption/codec.ts";
import { application } from "../../support/application.ts";
import { bearer, keyEntry, signIn } from "../../support/keys.ts";
import { createService } from "../../support/service.ts";

const scopes = ["submit", "read", "operate", "act"] as const;
const keys = scopes.map((scope) => keyEntry(scope, scope, `${scope}-key`)).join(",");
const service = createService(application, { HOLDFAST_API_KEYS: keys }, afterAll);

const routes: RouteOptions[] = [];
let root: string;

/** Every route of every server, whoever adds it. */
function watchRoutes(message: unknown): void {
  const { fastify: server } = message as { fastify: FastifyInstance };
  server.addHook("onRoute", (route) => void routes.push(route));
}

beforeAll(async () => {
  diagnostics.subscribe("fastify.initialization", watchRoutes);
  root = (await service.startApi()).url;
  diagnostics.unsubscribe("fastify.initialization", watchRoutes);
});

/** A caller's headers, by its name in the table. */
async function callers(): Promise<Readonly<Record<string, Readonly<Record<string, string>>>>> {
  const sessionOf = async (key: string) => ({ ...(await signIn(root, key)), "x-holdfast-console": "1" });
  return {
    "no key": {},
    "wrong key": bearer("guessed"),
    "`submit`": bearer("submit-key"),
    "`read`": bearer("read-key"),
    "`operate`": bearer("operate-key"),
    "`act`": bearer("act-key"),
    "session, `read`": await sessionOf("read-key"),
    "session, `operate`": await sessionOf("operate-key"),
  };
}

/** Everything that gets past the guard counts as allowed, even if the request is refused later. */
async function attempt(method: string, path: string, headers: Readonly<Record<string, string>>) {
  const url = root + path.replaceAll(/:\w+|\*/g, "x");
  const { status, body } = await fetch(url, { method, headers, redirect: "manual" });
  await body?.cancel();
  if (status === 405) return undefined;
  return status === 401 || status === 403 ? String(status) : "✓";
}

const INTRODUCTION = `# Who may call what

Every caller tried on every route, with [API keys](secure.md#how-do-i-give-somebody-access) configured: ✓ passes the guard, 401 and 403 do not.
A test writes this page, and fails if a route is missing here or answers differently.
`;

/** Each caller's answer by route; methods of a path with equal answers share a row. */
async function tryAll(known: readonly Readonly<Record<string, string>>[]): Promise<string[]> {
  const methodsOf = new Map<string, string[]>();
  const all = routes.flatMap(({ method, url }) => [method].flat().map((name) => [url, name] as const));
  // `fetch` cannot send TRACE, which no route has.
  const named = all.filter(([, method]) => method !== "TRACE");
  const order = ([a]: readonly [string, string], [b]: readonly [string, string]) => a.localeCompare(b, "en");
  for (const [path, method] of named.sort(order)) {
    const answers = await Promise.all(known.map((headers) => attempt(method, path, headers)));
    if (answers.every((answer) => answer === undefined)) continue; // another method is meant
    const row = `${path}\` | ${answers.join(" | ")} |`;
    methodsOf.set(row, [...(methodsOf.get(row) ?? []), method]);
  }
  return [...methodsOf].map(([row, methods]) => `| \`${[...new Set(methods)].sort().join(", ")} ${row}`);
}

describe("every route", () => {
  it("accepts callers whose key has its scope, and nobody else", async () => {
    const known = await callers();
    const names = Object.keys(known);
    const rows = await tryAll(Object.values(known));

    const head = `| route | ${names.join(" | ")} |\n| --- |${" --- |".repeat(names.length)}`;
    await expect([INTRODUCTION, head, ...rows, ""].join("\n")).toMatchFileSnapshot("../../../docs/access.md");
  });

  it("without declared callers is closed to everybody", async () => {
    const settings = readSettings(service.env);
    const server = fastify();
    server.setErrorHandler((error: HoldfastError, _request, reply) => reply.code(error.statusCode).send());
    guardRoutes(
      server,
      settings.HOLDFAST_API_KEYS,
      openSessions({ application, settings, client: service.connect(), codec: createCodec([]) }),
    );
    server.get("/new", async () => "open");

    const answers = await Promise.all(
      Object.values(await callers()).map((headers) => server.inject({ url: "/new", headers })),
    );

    expect(answers.map(({ statusCode }) => statusCode)).toEqual([401, 401, 403, 403, 403, 403, 403, 403]);
  });
});

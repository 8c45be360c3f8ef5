import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import express from "express";
import fastify from "fastify";
import type { Application } from "holdfast";
import { createHandler, type Handler, type HandlerOptions } from "holdfast/server";
import { onTestFinished } from "./test-scope.ts";

export const PREFIX = "/jobs-admin";

function answerOwn({ url }: IncomingMessage, response: ServerResponse): void {
  response.writeHead(url === "/own" ? 200 : 404).end(`the host's ${url}`);
}

/** Applications that Holdfast is mounted in at `PREFIX`, and that have a page of their own at `/own`. */
const listeners = {
  "node:http":
    ({ node }: Handler): RequestListener =>
    (request, response) =>
      node(request, response, () => answerOwn(request, response)),
  "Express 5": ({ node }: Handler): RequestListener => express().use(node).use(answerOwn),
  "Express 5, at a path, after its body parser": ({ node }: Handler): RequestListener =>
    express().use(express.json()).use(PREFIX, node).use(answerOwn),
  async "Fastify 5"({ node }: Handler): Promise<RequestListener> {
    const server = fastify();
    await server.register(async (jobs) => {
      jobs.removeAllContentTypeParsers();
      jobs.addContentTypeParser("*", (_request, _body, done) => done(null));
      jobs.all(`${PREFIX}/*`, (request, reply) => {
        reply.hijack();
        node(request.raw, reply.raw);
      });
    });
    server.setNotFoundHandler(({ raw }, reply) => {
      reply.hijack();
      answerOwn(raw, reply.raw);
    });
    await server.ready();
    return server.routing;
  },
  "fetch, as Hono and Next.js call it":
    ({ fetch }: Handler): RequestListener =>
    async (incoming, outgoing) => {
      if (!incoming.url?.startsWith(`${PREFIX}/`)) return answerOwn(incoming, outgoing);
      const left = new AbortController();
      outgoing.once("close", () => left.abort());
      const { status, headers, body } = await fetch(asRequest(incoming, left.signal));
      outgoing.writeHead(status, [...headers].flat());
      if (body === null) return void outgoing.end();
      Readable.fromWeb(body as ReadableStream)
        .on("error", () => outgoing.destroy())
        .pipe(outgoing);
    },
};

function asRequest(incoming: IncomingMessage, signal: AbortSignal): Request {
  const { method = "GET", headers, url } = incoming;
  const hasBody = method !== "GET" && method !== "HEAD";
  return new Request(`http://${headers.host}${url}`, {
    method,
    headers: headers as Record<string, string>,
    signal,
    ...(hasBody && { body: Readable.toWeb(incoming) as globalThis.ReadableStream, duplex: "half" }),
  });
}

export type HostName = keyof typeof listeners;
export const hostNames = Object.keys(listeners) as HostName[];

type WhenOver = (stop: () => Promise<void>) => void;

/** Mounts Holdfast in an application. Both end with the test, or with what `whenOver` waits for. */
export async function mountIn(
  name: HostName,
  application: Application,
  env: NonNullable<HandlerOptions["env"]>,
  whenOver: WhenOver = onTestFinished,
): Promise<{ readonly url: string; readonly handler: Handler }> {
  const handler = await createHandler(application, { prefix: PREFIX, env });
  whenOver(handler.stop);
  return { url: await listen(await listeners[name](handler), whenOver), handler };
}

/**
 * Serves a handler of Node's requests until the test ends.
 *
 * @returns its URL on this machine's loopback
 */
export async function listen(
  listener: RequestListener,
  whenOver: WhenOver = onTestFinished,
  address = "127.0.0.1",
): Promise<string> {
  const server = createServer(listener).listen(0, address);
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  servers.set(url, server);
  whenOver(async () => {
    server.closeAllConnections();
    server.close();
  });
  return url;
}

const servers = new Map<string, Server>();

/** Closes the server of a URL as its application would. Resolves when its last connection is closed. */
export async function closeServer(url: string): Promise<void> {
  const server = servers.get(url);
  if (server === undefined) throw new Error(`no server at ${url}`);
  await new Promise((resolve) => server.close(resolve));
}

import { subscribe } from "node:diagnostics_channel";
import { Agent, ClientRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { errorCode } from "../error-tree.ts";
import { Departure, lineOf } from "./departure.ts";
import { currentRecord } from "./scope.ts";
import { noteBegun, noteOver } from "./traffic.ts";
import { askerOf, watchDispatchers } from "./undici-pools.ts";
import { noteBody, watchBodies } from "./watch-bodies.ts";

/** From the call on, also while a busy agent keeps it waiting: then its socket comes in the context of another request. */
export function watchNodeHttp(): void {
  watchQueue();
  watchBodies(ClientRequest.prototype, (request) => noteBody(requests.get(request)?.record));
  subscribe("http.client.request.start", (message) => {
    const { request } = message as { request: ClientRequest };
    const departure = requests.get(request);
    if (departure !== undefined) departure.written = "all";
  });
  subscribe("http.client.response.finish", (message) => {
    const { request, response } = message as { request: ClientRequest; response: IncomingMessage };
    const departure = requests.get(request);
    if (departure === undefined) return;
    departure.status = response.statusCode ?? null;
    noteOver(departure);
    response.once("close", () =>
      departure.end(
        response.complete ? "answered" : response.errored ? errorCode(response.errored) : "closed",
      ),
    );
  });
  subscribe("http.client.request.error", (message) => {
    const { request, error } = message as { request: ClientRequest; error: unknown };
    end(requests.get(request), errorCode(error));
  });
}

const requests = new WeakMap<ClientRequest, Departure>();

function end(departure: Departure | undefined, how: string): void {
  departure?.end(how);
  if (departure !== undefined) noteOver(departure);
}

interface Queueing {
  addRequest?: (this: Agent, request: ClientRequest, ...rest: unknown[]) => void;
}

function watchQueue(): void {
  const agent: Agent & Queueing = Agent.prototype;
  const { addRequest } = agent;
  if (addRequest !== undefined)
    agent.addRequest = function (request, ...rest) {
      noteRequest(request, rest[0] as AskedPlace);
      return Reflect.apply(addRequest, this, [request, ...rest]);
    };
  const { onSocket } = ClientRequest.prototype;
  ClientRequest.prototype.onSocket = function (this: ClientRequest, socket: Socket, ...rest: unknown[]) {
    carry(noteRequest(this, { name: lineOf(socket)?.name }), socket);
    return Reflect.apply(onSocket, this, [socket, ...rest]);
  };
}

/** Where an agent is asked to connect to. */
interface AskedPlace {
  readonly host?: string | null | undefined;
  readonly port?: number | string | null | undefined;
  readonly socketPath?: string | undefined;
  /** As its socket was asked. */
  readonly name?: string | undefined;
}

function noteRequest(request: ClientRequest, asked: AskedPlace): Departure {
  const known = requests.get(request);
  if (known !== undefined) return known;
  const isTls = request.protocol === "https:";
  const record = currentRecord();
  const departure = new Departure(record, undefined, {
    kind: "request",
    isUpgrade: request.method === "CONNECT" || request.hasHeader("upgrade"),
    protocol: isTls ? "https" : "http",
    host: hostOf(request, asked),
    method: request.method,
    target: request.path,
    agent: () => textOf(request.getHeader("user-agent")),
  });
  requests.set(request, departure);
  record?.add(departure);
  noteBegun(departure);
  request.once("close", () => {
    if (departure.status === null) end(departure, "closed");
  });
  return departure;
}

function hostOf(request: ClientRequest, asked: AskedPlace): string {
  const known = asked.name ?? asked.socketPath;
  if (known != null) return known;
  const port = asked.port ?? (request.protocol === "https:" ? 443 : 80);
  return `${asked.host ?? request.host}:${port}`;
}

/** This socket carries the request from now on. */
function carry(departure: Departure, socket: Socket | null): void {
  const line = lineOf(socket);
  if (!line) return;
  const { use } = line;
  if (use !== undefined && !use.isRequest && use.written === null) use.record?.remove(use);
  if (departure.line?.isOpen === true && departure.line !== line) noteMove(departure);
  departure.line = line;
  line.use = departure;
}

/** It had a connection before, on which it may have been sent: Deno sends again by itself what a kept connection has lost. */
function noteMove(departure: Departure): void {
  departure.markOpen();
  departure.markWritten();
}

/** As undici publishes it. */
interface UndiciRequest {
  readonly origin?: string | URL;
  readonly method?: string;
  readonly path: string;
  readonly headers?: unknown;
  readonly body?: unknown;
  readonly upgrade?: unknown;
}

/** Undici, and so `fetch`: all that it publishes. */
export function watchUndici(): void {
  watchDispatchers();
  const sent = new WeakMap<UndiciRequest, Departure>();
  const on = (event: string, note: (departure: Departure, message: object) => void) =>
    subscribe(`undici:${event}`, (message) => {
      const departure = sent.get((message as { request: UndiciRequest }).request);
      if (departure !== undefined) note(departure, message as object);
    });
  subscribe("undici:request:create", (message) => {
    const { request } = message as { request: UndiciRequest };
    const departure = departureOfUndici(request);
    departure.record?.add(departure);
    noteBegun(departure);
    sent.set(request, departure);
  });
  on("client:sendHeaders", (departure, message) => {
    const { request, socket } = message as { request: UndiciRequest; socket: Socket };
    departure.markOpen();
    carry(departure, socket);
    departure.markWritten();
    if (request.body == null) departure.written = "all";
  });
  on("request:bodySent", (departure) => {
    departure.written = "all";
  });
  on("request:headers", (departure, message) => {
    const { response } = message as { response: { readonly statusCode: number } };
    departure.markOpen();
    departure.written ??= "part";
    departure.status = response.statusCode;
    noteOver(departure);
  });
  on("request:trailers", (departure) => departure.end("answered"));
  on("request:error", (departure, message) =>
    end(departure, errorCode((message as { error: unknown }).error)),
  );
}

function departureOfUndici(request: UndiciRequest): Departure {
  const { origin, method = "GET", path, headers, upgrade } = request;
  return new Departure(askerOf(request), undefined, {
    kind: "request of undici",
    isUpgrade: method === "CONNECT" || Boolean(upgrade),
    ...placeOf(String(origin)),
    method,
    target: path,
    agent: () => agentIn(headers),
  });
}

interface Place {
  readonly protocol: "http" | "https";
  readonly host: string;
}

/** Of each origin: parsing a URL takes longer than all the rest of noting a request. */
const places = new Map<string, Place>();
const PLACES_MAX = 1_000;

function placeOf(origin: string): Place {
  const known = places.get(origin);
  if (known !== undefined) return known;
  if (!URL.canParse(origin)) return { protocol: "http", host: "unknown" };
  const { protocol, hostname, port } = new URL(origin);
  const isTls = protocol === "https:";
  const place: Place = {
    protocol: isTls ? "https" : "http",
    host: `${hostname}:${port || (isTls ? 443 : 80)}`,
  };
  if (places.size < PLACES_MAX) places.set(origin, place);
  return place;
}

/** Headers are one text, or names and values in turn. */
function agentIn(headers: unknown): string | undefined {
  const text = Array.isArray(headers) ? headers.join("\n") : textOf(headers);
  return text && /^user-agent(?:: ?|\n)(.*)$/im.exec(text)?.[1];
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

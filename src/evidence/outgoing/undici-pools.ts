import { AsyncResource } from "node:async_hooks";
import { subscribe } from "node:diagnostics_channel";
import { Departure } from "./departure.ts";
import type { OutgoingRecord } from "./outgoing-record.ts";
import { currentRecord } from "./scope.ts";

/** A class of undici, of which each copy of undici has its own. */
interface Dispatcher {
  dispatch(options: object, handler: object): boolean;
}

/** Who asked for a request, by what undici gives its answer to; undefined where no running effect did. */
const askers = new WeakMap<object, OutgoingRecord | undefined>();
const watched = new WeakSet<Dispatcher>();
/** By the same: whose request was made, and what ends its wait. */
const made = new WeakSet<object>();
const waiting = new WeakMap<object, () => void>();
/** What was dispatched last that had not been before. Undici wraps some handlers on the way: then it is the inner one that waits. */
let newest: object | undefined;
/** Under these names all copies of undici share the one that `fetch` uses. */
const GLOBAL = ["undici.globalDispatcher.1", "undici.globalDispatcher.2"].map((name) => Symbol.for(name));

/**
 * A busy pool of undici makes a request only once a connection is free, in the context of whoever freed it. So who asks is noted when a pool is
 * asked. Undici is not loaded here: its class is known from the dispatcher that `fetch` uses, and from a connection.
 */
export function watchDispatchers(): void {
  watchGlobal();
  subscribe("undici:client:beforeConnect", (message) => {
    connectingTo = (message as { connectParams: { hostname?: string } }).connectParams.hostname;
    queueMicrotask(() => {
      connectingTo = undefined;
    });
  });
  subscribe("undici:client:connected", (message) =>
    watchDispatch(insideOf((message as { socket: object }).socket, "client")),
  );
}

/** Where undici is about to open a connection, until the code that runs has ended. */
let connectingTo: string | undefined;

/** Whether undici opens this connection right now: it will carry requests, which say themselves what becomes of them. */
export function isOpenedByUndici(name: string): boolean {
  return connectingTo !== undefined && name.startsWith(`${connectingTo}:`);
}

/** Those that were looked at last. */
const globals: unknown[] = [];

function watchGlobal(): void {
  for (const [at, name] of GLOBAL.entries()) {
    const dispatcher = Reflect.get(globalThis, name);
    if (dispatcher !== globals[at]) watchDispatch(dispatcher);
    globals[at] = dispatcher;
  }
}

function watchDispatch(dispatcher: unknown): void {
  const owner = ownerOfDispatch(dispatcher);
  if (owner === undefined || watched.has(owner)) return;
  watched.add(owner);
  const { dispatch } = owner;
  owner.dispatch = function (this: Dispatcher, options, handler) {
    // A pool asks its clients, with the same handler.
    const isAsked = askers.has(handler) && !made.has(handler);
    if (typeof handler !== "object" || handler === null || isAsked)
      return dispatch.call(this, options, handler);
    made.delete(handler);
    const record = callerOf(handler);
    askers.set(handler, record);
    newest = handler;
    const isQueued = dispatch.call(this, options, handler);
    if (record !== undefined && newest === handler && !made.has(handler))
      waitIn(record, handler, placeOf(this, options));
    return isQueued;
  };
}

/** What waits in a pool is under way. */
function waitIn(record: OutgoingRecord, handler: object, host: string): void {
  const departure = new Departure(record, undefined, { kind: "connection", protocol: "http", host });
  record.add(departure);
  waiting.set(handler, () => record.remove(departure));
}

function placeOf(dispatcher: object, { origin }: { readonly origin?: unknown }): string {
  const url = String(origin ?? insideOf(dispatcher, "url"));
  return URL.canParse(url) ? new URL(url).host : "unknown";
}

/** The class of all pools and clients has the method. */
function ownerOfDispatch(dispatcher: unknown): Dispatcher | undefined {
  if (typeof dispatcher !== "object" || dispatcher === null) return undefined;
  for (let at = Object.getPrototypeOf(dispatcher); at !== null; at = Object.getPrototypeOf(at))
    if (Object.hasOwn(at, "dispatch") && typeof at.dispatch === "function") return at as Dispatcher;
  return undefined;
}

/** The effect that asked for a request which is being made. */
export function askerOf(request: object): OutgoingRecord | undefined {
  watchGlobal();
  const handler = insideOf(request, "handler");
  if (typeof handler !== "object" || handler === null) return currentRecord();
  const asker = askers.get(handler);
  made.add(handler);
  waiting.get(handler)?.();
  if (asker !== undefined || askers.has(handler)) return asker?.isRunning === true ? asker : undefined;
  return callerOf(handler);
}

/** The effect for which a handler was made: `request`, `stream` and `pipeline` of undici make one that keeps its caller's context. */
function callerOf(handler: object): OutgoingRecord | undefined {
  return handler instanceof AsyncResource ? handler.runInAsyncScope(currentRecord) : currentRecord();
}

/** By name: the symbol that was found last. Each copy of undici has its own. */
const symbols = new Map<string, symbol>();

/** What undici keeps under a symbol of this name. */
function insideOf(object: object, name: string): unknown {
  const known = symbols.get(name);
  if (known !== undefined && Object.hasOwn(object, known)) return Reflect.get(object, known);
  const symbol = Object.getOwnPropertySymbols(object).find(({ description }) => description === name);
  if (symbol === undefined) return undefined;
  symbols.set(name, symbol);
  return Reflect.get(object, symbol);
}

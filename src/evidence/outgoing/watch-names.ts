import dns from "node:dns";
import { syncBuiltinESMExports } from "node:module";
import { errorCode } from "../error-tree.ts";
import { Departure } from "./departure.ts";
import { noteAddress } from "./peers.ts";
import { currentRecord } from "./scope.ts";

type Call = (this: unknown, ...args: unknown[]) => unknown;
type Module = Record<string, unknown>;

/** Names that are looked up: who waits for an address is about to connect, and a name and its addresses are one peer. */
export function watchNames(): void {
  for (const module of [dns, dns.Resolver.prototype])
    for (const [name, call] of lookups(module)) Reflect.set(module, name, byCallback(call));
  for (const module of [dns.promises, dns.promises.Resolver.prototype])
    for (const [name, call] of lookups(module)) Reflect.set(module, name, byPromise(call));
  syncBuiltinESMExports();
}

let isConnecting = false;

/** Runs what connects a socket, whose look-up is part of its connection. */
export function withoutLookups<T>(connect: () => T): T {
  isConnecting = true;
  try {
    return connect();
  } finally {
    isConnecting = false;
  }
}

function lookups(module: object): [name: string, call: Call][] {
  const names = ["lookup", "resolve", "resolve4", "resolve6", "resolveAny", "resolveSrv", "resolveMx"];
  return names.flatMap((name): [string, Call][] => {
    const call = (module as Module)[name];
    return typeof call === "function" ? [[name, call as Call]] : [];
  });
}

function byCallback(call: Call): Call {
  const watched: Call = function (this: unknown, ...args) {
    const callback = args.at(-1);
    const [host] = args;
    if (typeof callback !== "function" || typeof host !== "string") return Reflect.apply(call, this, args);
    const end = begin(host);
    const noted = function (this: unknown, ...answer: unknown[]) {
      end(answer[0], answer[1]);
      return Reflect.apply(callback, this, answer);
    };
    return Reflect.apply(call, this, [...args.slice(0, -1), noted]);
  };
  // What makes a promise of it, for `promisify`.
  return Object.defineProperties(watched, Object.getOwnPropertyDescriptors(call));
}

function byPromise(call: Call): Call {
  return async function (this: unknown, ...args) {
    const end = begin(String(args[0]));
    try {
      const answer = await Reflect.apply(call, this, args);
      end(null, answer);
      return answer;
    } catch (error) {
      end(error, undefined);
      throw error;
    }
  };
}

/** @returns called with the error and the answer */
function begin(host: string): (error: unknown, answer: unknown) => void {
  const record = isConnecting ? undefined : currentRecord();
  const departure = record && new Departure(record, undefined, { kind: "lookup", protocol: "tcp", host });
  if (departure !== undefined) record?.add(departure);
  return (error, answer) => {
    if (error) departure?.end(errorCode(error));
    else if (departure !== undefined) record?.remove(departure);
    for (const address of addressesIn(answer)) noteAddress(host, address);
  };
}

function addressesIn(answer: unknown): string[] {
  const answers = Array.isArray(answer) ? answer : [answer];
  return answers
    .map((one) =>
      typeof one === "string" ? one : (one as { address?: unknown } | undefined | null)?.address,
    )
    .filter((address) => typeof address === "string");
}

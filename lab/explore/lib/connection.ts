import { type Command, Redis } from "ioredis";
import type { Store } from "./store.ts";
import type { Actor, Answer, Request } from "./world.ts";

/**
 * The connection that the code under exploration is given: a client of ioredis whose commands go to the explorer in place of a socket.
 * One for each actor's name, for all runs: BullMQ compiles its scripts for each client anew.
 */
export class Seam {
  readonly #client: Redis;
  readonly #store: Store;
  readonly #nameOf: (source: string) => string | undefined;
  /** With BullMQ's scripts defined, once for all runs. */
  get bare(): Redis {
    return this.#client;
  }

  /** The actor that it belongs to in this run. */
  actor: Actor | undefined;

  constructor(store: Store, nameOf: (source: string) => string | undefined) {
    this.#store = store;
    this.#nameOf = nameOf;
    this.#client = this.#open();
  }

  /** As a process sees it that has just started: what modules remember of a connection is another process's. */
  get client(): Redis {
    const client: Redis = Object.create(this.#client);
    // Nothing of it is kept when the run is over.
    Object.assign(client, deaf(client));
    return client;
  }

  #open(): Redis {
    const client = new Redis({ lazyConnect: true, maxRetriesPerRequest: null, enableReadyCheck: false });
    client.status = "ready";
    Object.assign(client, deaf(client));
    client.sendCommand = ((command: Command) => {
      this.#ask(command, client);
      return command.promise;
    }) as Redis["sendCommand"];
    let other: Redis | undefined;
    client.duplicate = () => {
      other ??= this.#open();
      return other;
    };
    client.connect = async () => {};
    client.disconnect = () => {};
    const define = client.defineCommand.bind(client);
    client.defineCommand = (name, definition) => {
      this.#store.learn(definition.lua);
      bullmqNames.set(definition.lua, name.split(":")[0] ?? name);
      define(name, definition);
    };
    return client;
  }

  #ask(command: Command, line: object): void {
    const { actor } = this;
    // Of a process that an earlier run has left behind.
    if (actor === undefined || actor.isDead) return;
    // No message ever comes: each may be lost.
    if (command.name === "ssubscribe") return;
    const args = command.args as (string | Buffer)[];
    const name = command.name.toLowerCase();
    const request: Request = {
      actor,
      line,
      what: this.#what(name, args),
      perform: () => this.#store.perform(name, args),
      settle: (answer) => settle(command, answer),
    };
    actor.requests.push(request);
  }

  #what(name: string, args: readonly (string | Buffer)[]): string {
    if (name !== "eval" && name !== "evalsha") return `${name.toUpperCase()} ${String(args[0] ?? "")}`;
    // The next one may be sent by its digest before Redis has this one.
    if (name === "eval") this.#store.learn(String(args[0]));
    const source = name === "eval" ? String(args[0]) : (this.#store.sourceOf(String(args[0])) ?? "");
    return this.#nameOf(source) ?? bullmqNames.get(source) ?? "a script";
  }
}

/** The explorer's connections are never lost: breaks are faults of requests. */
function deaf(client: Redis) {
  const ignore = () => client;
  return { on: ignore, once: ignore, off: ignore, setMaxListeners: ignore };
}

const bullmqNames = new Map<string, string>();

function settle(command: Command, answer: Answer): void {
  if ("error" in answer) command.reject(answer.error);
  else command.resolve(answer.reply as never);
}

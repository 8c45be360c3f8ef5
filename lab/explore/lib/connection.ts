import { type Command, Redis } from "ioredis";
import { scriptName } from "./scripts.ts";
import type { Store } from "./store.ts";
import type { Actor, Answer } from "./world.ts";

/**
 * The connection that the code under exploration is given: a client of ioredis whose commands go to the explorer in place of a socket.
 * One for each actor's name, for all runs: BullMQ compiles its scripts for each client anew.
 */
export class Seam {
  readonly #client: Redis;
  readonly #store: Store;
  /** To which it belongs in this run. */
  #actor: Actor | undefined;

  constructor(store: Store) {
    this.#store = store;
    this.#client = this.#open();
  }

  /** As a process sees it that has just started: what modules remember of a connection is another process's. */
  clientFor(actor: Actor): Redis {
    this.#actor = actor;
    const client: Redis = Object.create(this.#client);
    // Nothing of it is kept when the run is over.
    return Object.assign(client, deaf(client));
  }

  #open(): Redis {
    const client = new Redis({ lazyConnect: true, maxRetriesPerRequest: null, enableReadyCheck: false });
    let other: Redis | undefined;
    const define = client.defineCommand.bind(client);
    const sendCommand = (command: Command) => {
      this.#ask(command, client);
      return command.promise;
    };
    const duplicate = () => {
      other ??= this.#open();
      return other;
    };
    const defineCommand: Redis["defineCommand"] = (name, definition) => {
      bullmqNames.set(this.#store.learn(definition.lua), name.split(":")[0] ?? name);
      define(name, definition);
    };
    const noConnection = { status: "ready", connect: async () => {}, disconnect() {} };
    return Object.assign(client, deaf(client), noConnection, { sendCommand, duplicate, defineCommand });
  }

  #ask(command: Command, line: object): void {
    const actor = this.#actor;
    // Of a process that an earlier run has left behind.
    if (actor === undefined || actor.isDead) return;
    // No message ever comes: each may be lost.
    if (command.name === "ssubscribe") return;
    const args = command.args as (string | Buffer)[];
    const name = command.name.toLowerCase();
    actor.requests.push({
      actor,
      line,
      what: this.#what(name, args),
      perform: () => this.#store.perform(name, args),
      settle: (answer) => settle(command, answer),
    });
  }

  #what(name: string, [first]: readonly (string | Buffer)[]): string {
    if (!name.startsWith("eval")) return `${name.toUpperCase()} ${String(first ?? "")}`;
    // The next one may be sent by its digest before Redis has this one.
    const source =
      name === "eval" ? this.#store.learn(String(first)) : (this.#store.sourceOf(String(first)) ?? "");
    return scriptName(source) ?? bullmqNames.get(source) ?? "a script";
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

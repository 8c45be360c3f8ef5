import type { Cluster, Redis } from "ioredis";
import { CONNECTION_CLOSED } from "../redis-errors.ts";

export type Command = Parameters<Redis["sendCommand"]>[0] & {
  getSlot(): number | null;
  getKeys(): readonly unknown[];
};

/** What ioredis has inside a pipeline, though its types hide it. */
interface Pipeline {
  /** Its commands. One that is sent again gets a new list. */
  readonly _queue: readonly Command[];
  sendCommand(command: Command): unknown;
}

/** All commands of each command's pipeline, in order. */
const rows = new WeakMap<Command, readonly Command[]>();

/** Remembers of each command of a pipeline which others belong to it: ioredis gives them to a node one by one. */
export function knowPipelines(client: Redis | Cluster): void {
  const { pipeline, multi } = client;
  Object.assign(client, {
    pipeline: (...args: Parameters<typeof pipeline>) => known(pipeline.call(client), args[0]),
    multi: (...args: readonly unknown[]) => {
      const made: unknown = Reflect.apply(multi, client, Array.isArray(args[0]) ? args.slice(1) : args);
      return made instanceof Promise ? made : known(made, args[0]);
    },
  });
}

function known(made: unknown, commands: unknown): unknown {
  const pipeline = made as Pipeline & { addBatch(commands: readonly unknown[]): unknown };
  const add = pipeline.sendCommand.bind(pipeline);
  for (const command of pipeline._queue) rows.set(command, pipeline._queue);
  pipeline.sendCommand = (command) => {
    const added = add(command);
    rows.set(command, pipeline._queue);
    return added;
  };
  if (Array.isArray(commands)) pipeline.addBatch(commands);
  return pipeline;
}

/**
 * Puts a pipeline together again as its commands reach a node. They all do in one turn. If one does not, because the client has found
 * another node for it or none, then the others are refused: of a pipeline that is written in part, every later reply would go to the
 * command before its own.
 */
export class PipelineParts {
  #arrived: Command[] = [];

  /** @returns the whole pipeline, once this command completes it */
  add(command: Command): readonly Command[] | undefined {
    const row = rows.get(command) ?? [];
    if (row[this.#arrived.length] !== command) this.#refuse();
    if (this.#arrived.length === 0) queueMicrotask(() => this.#refuse());
    const isNext = row[this.#arrived.length] === command;
    this.#arrived.push(command);
    if (!isNext) this.#refuse();
    if (this.#arrived.length === 0 || this.#arrived.length < row.length) return undefined;
    this.#arrived = [];
    return row;
  }

  #refuse(): void {
    for (const command of this.#arrived.splice(0)) command.reject(new Error(CONNECTION_CLOSED));
  }
}

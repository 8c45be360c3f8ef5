import { type Cluster, type Redis, ReplyError } from "ioredis";
import { ageOf, momentNow } from "../../lib/moment.ts";
import { CONNECTION_CLOSED } from "../redis-errors.ts";
import { addressOf } from "./cluster-node.ts";
import { isGuarded } from "./open-slot.ts";
import { type Command, knowPipelines, PipelineParts } from "./pipelines.ts";
import { type SlotState, type SlotWatch, VIEW_MS } from "./slot-watch.ts";

type Stream = Parameters<Redis["sendCommand"]>[1];
type Send = (command: Command, stream?: Stream) => unknown;

const watches = new WeakMap<Cluster, SlotWatch>();

/** Whether all keys of a slot are with its master, as the masters say now. */
export async function slotStateOf(cluster: Cluster, slot: number): Promise<SlotState> {
  return (await watches.get(cluster)?.look(slot)) ?? { kind: "unsaid" };
}

/** Whether a command for this slot is sent to this master at once. A write that is not must not delay those of other slots. */
export function isSentAtOnce(cluster: Cluster, slot: number, address: string): boolean {
  return watches.get(cluster)?.mayUse(slot, address) ?? true;
}

/**
 * Sends no command to a master that does not have all keys of the command's slot, unless that master knows it and refuses scripts
 * itself. The command is refused as such a master would. A pipeline is sent as a whole, or refused as a whole.
 */
export function guardSlots(cluster: Cluster, watch: SlotWatch): void {
  watches.set(cluster, watch);
  watch.add(cluster);
  knowPipelines(cluster);
  const guard = (node: Redis) => guardNode(node, watch);
  for (const node of cluster.nodes()) guard(node);
  cluster.on("+node", guard);
}

/** Looks for open slots if a master has just said that one is. */
export function lookIfOpen(watch: SlotWatch, { message }: Error): void {
  if (/^(ASK|TRYAGAIN) /.test(message)) watch.lookSoon();
}

function guardNode(node: Redis, watch: SlotWatch): void {
  const send: Send = node.sendCommand.bind(node);
  const address = addressOf(node);
  const line = new Line(watch, send);
  const parts = new PipelineParts();
  let isAsked = false;
  const mayPass = (slot: number | null) =>
    slot === null || (watch.mayUse(slot, address) && !line.isWaitedFor(slot));

  knowPipelines(node);
  const sendPipelined = (command: Command, stream: Stream) => {
    heedPipelined(command, watch);
    const pipeline = parts.add(command);
    if (pipeline === undefined) return;
    const mayGo = (each: Command, at: number) => pipeline[at - 1]?.name === ASKING || mayPass(each.getSlot());
    if (!pipeline.every(mayGo)) return line.add(pipeline, stream);
    for (const each of pipeline) send(each, stream);
  };
  const sendAlone = (command: Command) => {
    const slot = command.getSlot();
    // The old master has just sent us here: it knows. And nothing may come between `ASKING` and the command.
    const wasAsked = isAsked && slot !== null;
    isAsked = command.name === ASKING || (isAsked && slot === null);
    if (wasAsked || mayPass(slot)) send(command);
    else line.add([command]);
  };
  const sendGuarded: Send = (command, stream) => {
    if (stream === undefined) sendAlone(command);
    else sendPipelined(command, stream);
    return command.promise;
  };
  node.sendCommand = sendGuarded as Redis["sendCommand"];
}

const ASKING = "asking";

/** Commands to one node that wait until their slots were looked up. None overtakes another of the same slot. */
class Line {
  readonly #watch: SlotWatch;
  readonly #send: Send;
  /** Of each slot: resolves when the last of its commands has gone. */
  readonly #last = new Map<number, Promise<void>>();

  constructor(watch: SlotWatch, send: Send) {
    this.#watch = watch;
    this.#send = send;
  }

  isWaitedFor(slot: number): boolean {
    return this.#last.has(slot);
  }

  /** @param commands one, or all of a pipeline */
  add(commands: readonly Command[], stream?: Stream): void {
    const slots = [...new Set(commands.map((command) => command.getSlot()))].filter((slot) => slot !== null);
    const before = slots.map((slot) => this.#last.get(slot));
    const gone = this.#pass(commands, before, stream).finally(() => {
      for (const slot of slots) if (this.#last.get(slot) === gone) this.#last.delete(slot);
    });
    for (const slot of slots) this.#last.set(slot, gone);
  }

  async #pass(commands: readonly Command[], before: readonly unknown[], stream?: Stream): Promise<void> {
    for (;;) {
      const asked = momentNow();
      const refusals = await Promise.all(commands.map((command) => refusalOf(command, this.#watch)));
      await Promise.all(before);
      if (refusals.some((refusal) => refusal !== undefined)) return refuse(commands, refusals);
      // The process may have slept since.
      if (ageOf(asked) > VIEW_MS) continue;
      // Where this is not its master, it will say itself which one is.
      for (const command of commands) this.#send(command, stream);
      return;
    }
  }
}

/** Those of a pipeline that nothing speaks against are told apart: they can be sent again without the others. */
function refuse(commands: readonly Command[], refusals: readonly (Error | undefined)[]): void {
  for (const [at, command] of commands.entries()) command.reject(refusals[at] ?? new Error(NOT_SENT));
}

const NOT_SENT = "Connection is closed to this command: another one of its pipeline was refused.";

/** Whether a command of a pipeline was not sent because of another one. */
export function isNotSent({ message }: Error): boolean {
  return message === NOT_SENT;
}

/** A cluster's client does not look at the errors of a pipeline's commands one by one. */
function heedPipelined(command: Command, watch: SlotWatch): void {
  const { reject } = command;
  command.reject = (error) => {
    lookIfOpen(watch, error);
    reject(error);
  };
}

/**
 * A master that knows that its slot is open refuses scripts itself, but only until somebody makes it forget that: `redis-cli --cluster fix`
 * does so, and brings the keys back afterwards. So it is asked again for each command that it would not refuse, such as a lock's renewal.
 */
async function refusalOf(command: Command, watch: SlotWatch): Promise<Error | undefined> {
  const slot = command.getSlot();
  if (slot === null) return undefined;
  const state = await watch.state(slot);
  if (state.kind !== "moving") return refusalIn(state);
  return isGuarded(command.getKeys()) ? tryAgain(state.why) : refusalIn(await watch.stateNow(slot));
}

/** As Redis refuses scripts while it moves a slot, and as a client does whose master is away. */
function refusalIn(state: SlotState): Error | undefined {
  if (state.kind === "half-moved") return tryAgain(state.why);
  return state.kind === "unknown" ? new Error(CONNECTION_CLOSED, { cause: state.why }) : undefined;
}

function tryAgain(why: string): Error {
  return new ReplyError(`TRYAGAIN the slot is open: ${why}`);
}

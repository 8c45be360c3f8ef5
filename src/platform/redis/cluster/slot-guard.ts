import { type Cluster, type Redis, ReplyError } from "ioredis";
import { CONNECTION_CLOSED } from "../redis-errors.ts";
import { addressOf } from "./cluster-node.ts";
import { isGuarded } from "./open-slot.ts";
import type { SlotState, SlotWatch } from "./slot-watch.ts";

type Command = Parameters<Redis["sendCommand"]>[0] & {
  getSlot(): number | null;
  getKeys(): readonly unknown[];
};
type Stream = Parameters<Redis["sendCommand"]>[1];

const watches = new WeakMap<Cluster, SlotWatch>();

/** Whether all keys of a slot are with its master, as the masters say now. */
export async function slotStateOf(cluster: Cluster, slot: number): Promise<SlotState> {
  return (await watches.get(cluster)?.look(slot)) ?? { kind: "unsaid" };
}

/**
 * Sends no command to a master that does not have all keys of the command's slot, unless that master knows it and refuses scripts
 * itself. The command is refused as such a master would.
 */
export function guardSlots(cluster: Cluster, watch: SlotWatch): void {
  watches.set(cluster, watch);
  watch.add(cluster);
  const guard = (node: Redis) => guardNode(node, watch);
  for (const node of cluster.nodes()) guard(node);
  cluster.on("+node", guard);
}

/** Looks for open slots if a master has just said that one is. */
export function lookIfOpen(watch: SlotWatch, { message }: Error): void {
  if (/^(ASK|TRYAGAIN) /.test(message)) watch.lookSoon();
}

function guardNode(node: Redis, watch: SlotWatch): void {
  const send = node.sendCommand.bind(node);
  const address = addressOf(node);
  const held = new Map<number, number>();
  const asking = node.asking.bind(node);
  let isAsking = false;
  node.asking = () => {
    const reply = asking();
    isAsking = true;
    return reply;
  };
  const leaveOut = openLeaveOut(node);
  const release = (slot: number) => {
    const others = (held.get(slot) ?? 1) - 1;
    if (others === 0) held.delete(slot);
    else held.set(slot, others);
  };

  const sendGuarded = (command: Command, stream?: Stream) => {
    const slot = command.getSlot();
    if (slot === null) return send(command, stream);
    if (stream !== undefined) heedPipelined(command, watch);
    // The old master has just sent us here: it knows. And nothing may come between `ASKING` and the command.
    const isAsked = isAsking;
    isAsking = false;
    // Nothing overtakes a command that waits.
    if (isAsked || (watch.mayUse(slot, address) && !held.has(slot))) return send(command, stream);
    held.set(slot, (held.get(slot) ?? 0) + 1);
    void refusalOf(command, slot, watch).then((refusal) => {
      release(slot);
      // Where this is not its master, it will say itself which one is.
      if (refusal === undefined) send(command, stream);
      else {
        command.reject(refusal);
        if (stream !== undefined) leaveOut(() => stream.write(""));
      }
    });
    return command.promise;
  };
  node.sendCommand = sendGuarded as Redis["sendCommand"];
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
async function refusalOf(command: Command, slot: number, watch: SlotWatch): Promise<Error | undefined> {
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

/** A pipeline is written when all of its commands are: of one that is refused, nothing is. */
function openLeaveOut(node: Redis): (write: () => void) => void {
  const waiting: (() => void)[] = [];
  node.on("ready", () => {
    for (const write of waiting.splice(0)) write();
  });
  return (write) => {
    if (node.status === "ready") return write();
    waiting.push(write);
    if (node.status === "wait") node.connect().catch(() => {});
  };
}

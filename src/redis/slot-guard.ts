import { type Cluster, type Redis, ReplyError } from "ioredis";
import { addressOf, type SlotState, type SlotWatch } from "./slot-watch.ts";

type Command = Parameters<Redis["sendCommand"]>[0] & { getSlot(): number | null };
type Stream = Parameters<Redis["sendCommand"]>[1];

const watches = new WeakMap<Cluster, SlotWatch>();

/** Whether the slot may be used now, as all connections of this process to the cluster see it. */
export async function slotStateOf(cluster: Cluster, slot: number): Promise<SlotState | undefined> {
  return await watches.get(cluster)?.state(slot);
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
  const handle = cluster.handleError.bind(cluster);
  cluster.handleError = (error, ttl, handlers) => {
    if (/^(ASK|TRYAGAIN) /.test(error.message)) watch.lookSoon();
    handle(error, ttl, handlers);
  };
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
  const release = (slot: number) => {
    const others = (held.get(slot) ?? 1) - 1;
    if (others === 0) held.delete(slot);
    else held.set(slot, others);
  };

  const sendGuarded = (command: Command, stream?: Stream) => {
    const slot = command.getSlot();
    if (slot === null) return send(command, stream);
    // The old master has just sent us here: it knows. And nothing may come between `ASKING` and the command.
    const isAsked = isAsking;
    isAsking = false;
    // Nothing overtakes a command that waits.
    if (isAsked || (watch.mayUse(slot, address) && !held.has(slot))) return send(command, stream);
    held.set(slot, (held.get(slot) ?? 0) + 1);
    void watch.whyNot(slot).then((why) => {
      release(slot);
      if (why === undefined) send(command, stream);
      else refuse(node, command, stream, `TRYAGAIN slot ${slot} is half moved: ${why}`);
    });
    return command.promise;
  };
  node.sendCommand = sendGuarded as Redis["sendCommand"];
}

function refuse(node: Redis, command: Command, stream: Stream, message: string): void {
  command.reject(new ReplyError(message));
  // A pipeline is written when all of its commands are.
  if (stream === undefined) return;
  const leaveOut = () => stream.write("");
  if (node.status === "ready") leaveOut();
  else node.once("ready", leaveOut);
}

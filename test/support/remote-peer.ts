import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** What a peer does with its connections, all at once. */
export interface PeerOrder {
  readonly host: string;
  readonly port: number;
  /** @default 1 */
  readonly connections?: number;
  /** On each, `times` times, in one go. */
  readonly sent: string;
  readonly times?: number;
  /** Then it reads so many bytes, @default none */
  readonly readBytes?: number;
  /** for at most so long, or until nothing moves any more, @default 0, */
  readonly forMs?: number;
  /** and leaves: with a reset, with an end, or when it is told to. @default "reset" */
  readonly leave?: "reset" | "end" | "stay";
}

/** A client with an address of its own, in a process of its own. */
export interface RemotePeer {
  /** Where it finds this machine. */
  readonly host: string;
  /** @returns for each connection how many bytes came, and the first of them */
  send(
    order: Omit<PeerOrder, "host">,
  ): Promise<readonly { readonly count: number; readonly received: string }[]>;
  /** Resets the connections that stayed. */
  release(): Promise<unknown>;
  stop(): Promise<void>;
}

/**
 * Starts a client in a network namespace of its own, with a cable between it and this machine (Linux, as root). Where that is not permitted,
 * it uses this machine's own address in a network, from which connections are as foreign to a server.
 *
 * @throws Error where neither is there
 */
export async function startRemotePeer(): Promise<RemotePeer> {
  const cable = layCable() ?? ownAddress();
  const script = fileURLToPath(new URL("fixtures/peer.mjs", import.meta.url));
  const [command = "", ...args] = [...cable.enter, process.execPath, script];
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  const closed = once(child, "close");
  const waiting = new Map<number, (answer: never) => void>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    const { id, answer } = JSON.parse(line);
    waiting.get(id)?.(answer as never);
    waiting.delete(id);
  });
  let count = 0;
  const ask = <T>(order: unknown) =>
    new Promise<T>((resolve) => {
      const id = ++count;
      waiting.set(id, resolve);
      child.stdin.write(`${JSON.stringify({ id, order })}\n`);
    });
  const defaults = { host: cable.host, connections: 1, times: 1, readBytes: 0, forMs: 0, leave: "reset" };
  return {
    host: cable.host,
    send: (order) => ask({ ...defaults, ...order }),
    release: () => ask("release"),
    async stop() {
      child.kill("SIGKILL");
      await closed;
      cable.remove();
    },
  };
}

interface Cable {
  readonly host: string;
  /** What a command begins with to be at the other end. */
  readonly enter: readonly string[];
  remove(): void;
}

const TRIES = 20;

function layCable(): Cable | undefined {
  for (let tried = 0; tried < TRIES; tried++) {
    const number = Math.floor(Math.random() * 65_536);
    const name = `hf${number}`;
    if (!ip("netns", "add", name)) return undefined;
    const net = `10.${200 + (number >> 14)}.${(number >> 6) & 255}`;
    const [host, peer] = [`${net}.${((number & 63) << 2) + 1}`, `${net}.${((number & 63) << 2) + 2}`];
    const isLaid =
      ip("link", "add", `${name}a`, "type", "veth", "peer", "name", `${name}b`, "netns", name) &&
      ip("addr", "add", `${host}/30`, "dev", `${name}a`) &&
      ip("link", "set", `${name}a`, "up") &&
      ip("-n", name, "addr", "add", `${peer}/30`, "dev", `${name}b`) &&
      ip("-n", name, "link", "set", `${name}b`, "up");
    const remove = () => void ip("netns", "del", name);
    if (isLaid) return { host, enter: ["ip", "netns", "exec", name], remove };
    remove();
  }
  return undefined;
}

/** @returns whether it could be done */
function ip(...args: readonly string[]): boolean {
  try {
    execFileSync("ip", args, { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function ownAddress(): Cable {
  const addresses = Object.values(networkInterfaces()).flatMap((list = []) => list);
  const found = addresses.find(({ family, internal }) => family === "IPv4" && !internal);
  if (found === undefined)
    throw new Error("Expected the right to make a network namespace (ip netns add, as root), or a network");
  return { host: found.address, enter: [], remove: () => {} };
}

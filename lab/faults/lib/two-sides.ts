import { spawnSync } from "node:child_process";
import { beforeRemoval } from "./scratch.ts";

/**
 * Two network namespaces with a third between them: the laboratory's own, which is the right side, and a left one. While the network is
 * split, the one between drops what passes, without a word to either side.
 */
export interface TwoSides {
  /** For what runs on the left. */
  readonly left: { readonly namespace: string; readonly host: string };
  readonly right: { readonly host: string };
  /** A link beside them that is never split, for the witness and for orders to the left. */
  readonly aside: { readonly left: string; readonly right: string };
  split(): void;
  heal(): void;
  remove(): void;
}

let opened = 0;

/** @returns undefined if none can be made, mostly because that needs root */
export function openTwoSides(): TwoSides | undefined {
  opened += 1;
  const id = `${process.pid % 10_000}-${opened}`;
  const net = `10.${64 + (process.pid % 128)}`;
  const subnet = (number: number) => `${net}.${(3 * opened + number) % 256}`;
  const [leftNet, rightNet, asideNet] = [subnet(0), subnet(1), subnet(2)];
  const [left, between] = [`hf-left-${id}`, `hf-between-${id}`];
  const remove = () => {
    for (const name of [left, between]) spawnSync("ip", ["netns", "del", name]);
  };
  const commands = [
    `netns add ${left}`,
    `netns add ${between}`,
    `link add l${id} netns ${left} type veth peer name m${id} netns ${between}`,
    `link add r${id} type veth peer name n${id} netns ${between}`,
    `link add a${id} type veth peer name b${id} netns ${left}`,
    ...[`addr add ${leftNet}.1/24 dev l${id}`, `link set l${id} up`, "link set lo up"].map(
      (it) => `-n ${left} ${it}`,
    ),
    ...[`addr add ${asideNet}.2/24 dev b${id}`, `link set b${id} up`].map((it) => `-n ${left} ${it}`),
    ...[`addr add ${leftNet}.2/24 dev m${id}`, `link set m${id} up`].map((it) => `-n ${between} ${it}`),
    ...[`addr add ${rightNet}.2/24 dev n${id}`, `link set n${id} up`].map((it) => `-n ${between} ${it}`),
    `addr add ${rightNet}.1/24 dev r${id}`,
    `link set r${id} up`,
    `addr add ${asideNet}.1/24 dev a${id}`,
    `link set a${id} up`,
    `-n ${left} route add ${rightNet}.0/24 via ${leftNet}.2`,
    `route add ${leftNet}.0/24 via ${rightNet}.2`,
  ];
  const forward = (isOpen: boolean) => {
    const value = isOpen ? "1" : "0";
    return run("netns", "exec", between, "sh", "-c", `echo ${value} > /proc/sys/net/ipv4/ip_forward`);
  };
  if (!commands.every((command) => run(...command.split(" "))) || !forward(true)) {
    remove();
    return undefined;
  }
  beforeRemoval(remove);
  return {
    left: { namespace: left, host: `${leftNet}.1` },
    right: { host: `${rightNet}.1` },
    aside: { left: `${asideNet}.2`, right: `${asideNet}.1` },
    split: () => void forward(false),
    heal: () => void forward(true),
    remove,
  };
}

function run(...args: readonly string[]): boolean {
  return spawnSync("ip", args, { stdio: "ignore" }).status === 0;
}

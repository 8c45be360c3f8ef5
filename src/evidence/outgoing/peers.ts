import { isIP } from "node:net";

/** The addresses of host names, as this process has looked them up; of the latest 1,000. */
const addresses = new Map<string, Set<string>>();
const NAMES_MAX = 1_000;
const ADDRESSES_MAX = 64;

export function noteAddress(name: string, address: string): void {
  if (isIP(name) !== 0) return;
  const known = addresses.get(name) ?? new Set();
  // In the order of the latest look-up.
  addresses.delete(name);
  addresses.set(name, known);
  if (known.size < ADDRESSES_MAX) known.add(address);
  const [oldest] = addresses.size > NAMES_MAX ? addresses.keys() : [];
  if (oldest !== undefined) addresses.delete(oldest);
}

/** Whether two sets of `host:port` (or paths of sockets) have one in common, by name or by address. */
export function haveCommonPeer(some: Iterable<string>, others: Iterable<string>): boolean {
  const known = new Set([...some].flatMap(placesOf));
  return [...others].flatMap(placesOf).some((place) => known.has(place));
}

/** Whether one of these has this host, on whichever port. */
export function haveHost(peers: Iterable<string>, host: string): boolean {
  const hosts = new Set(hostsOf(host));
  return [...peers].flatMap((peer) => hostsOf(cut(peer).host)).some((one) => hosts.has(one));
}

function placesOf(peer: string): string[] {
  if (peer.includes("/")) return [peer];
  const { host, port } = cut(peer);
  return hostsOf(host).map((one) => `${one}:${port}`);
}

function hostsOf(host: string): string[] {
  return [host, ...(addresses.get(host) ?? [])].map(normal);
}

function cut(peer: string): { readonly host: string; readonly port: string } {
  const at = peer.lastIndexOf(":");
  return at === -1 ? { host: peer, port: "" } : { host: peer.slice(0, at), port: peer.slice(at + 1) };
}

/** All names of this machine's loopback are one. */
function normal(host: string): string {
  const plain = host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/^::ffff:(?=\d+\.)/, "")
    .replace(/\.$/, "");
  return /^(127\.|::1$|0\.0\.0\.0$|::$|localhost$)/.test(plain) ? "localhost" : plain;
}

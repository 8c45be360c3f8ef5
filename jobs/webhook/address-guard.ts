import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { PermanentError } from "holdfast";
import ipaddr from "ipaddr.js";

type Address = ReturnType<typeof ipaddr.parse>;
export type AddressRange = ReturnType<typeof ipaddr.parseCIDR>;

/** Descriptions of ipaddr.js's ranges. Other ranges are just not public. */
const rangeNames: Readonly<Record<string, string>> = {
  unspecified: "an unspecified address",
  loopback: "a loopback address",
  linkLocal: "a link-local address",
  private: "a private address",
  uniqueLocal: "a unique-local address",
  carrierGradeNat: "a carrier-grade NAT address",
  multicast: "a multicast address",
  broadcast: "a broadcast address",
  reserved: "a reserved address",
  ipv4Mapped: "an IPv4 address in IPv6",
  rfc6145: "an IPv4 address in IPv6",
  rfc6052: "an IPv4 address in IPv6 (NAT64)",
  "6to4": "an IPv4 address in IPv6 (6to4)",
  teredo: "an IPv4 address in IPv6 (Teredo)",
};

/** The only public range of IPv6. Deprecated forms that contain an IPv4 address are outside it. */
const publicIpv6 = ipaddr.parseCIDR("2000::/3");
/** Azure's metadata service, which has a public address. */
const azureMetadata = ipaddr.parseCIDR("168.63.129.16/32");

/**
 * Reads the ranges that may be called although they are not public.
 *
 * @param text comma-separated, in CIDR notation
 */
export function parseRanges(text: string): AddressRange[] {
  return text === "" ? [] : text.split(",").map((range) => ipaddr.parseCIDR(range.trim()));
}

/**
 * Why an address must not be called; undefined if it is public or allowed.
 *
 * @param text an address from the resolver
 */
export function addressFault(text: string, allowed: readonly AddressRange[]): string | undefined {
  const withoutZone = text.replace(/%.*$/, "");
  if (isIP(withoutZone) === 0) return "not an address";
  const address = ipaddr.parse(withoutZone);
  if (allowed.some((range) => isIn(address, range))) return undefined;
  if (isIn(address, azureMetadata)) return "a metadata address";
  const range = address.range();
  if (range !== "unicast") return rangeNames[range] ?? "not a public address";
  return address.kind() === "ipv4" || isIn(address, publicIpv6) ? undefined : "not a public address";
}

/**
 * Resolves the host of a URL, and checks that all its addresses may be called. Connect only to these addresses: a second
 * lookup could return others.
 *
 * @throws PermanentError if one of them must not be called
 */
export async function resolvePublic(
  url: URL,
  allowed: readonly AddressRange[],
): Promise<readonly LookupAddress[]> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const addresses = await lookup(host, { all: true });
  for (const { address } of addresses) {
    const fault = addressFault(address, allowed);
    if (fault === undefined) continue;
    throw new PermanentError(
      `refused: ${address === host ? `${host} is ${fault}` : `${host} is at ${address}, ${fault}`}`,
    );
  }
  return addresses;
}

function isIn(address: Address, range: AddressRange): boolean {
  return address.kind() === range[0].kind() && address.match(range);
}

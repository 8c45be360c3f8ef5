import { isIP } from "node:net";
import fc from "fast-check";
import { PermanentError } from "holdfast";
import { describe, expect, it } from "vitest";
import { env } from "../env.ts";
import { addressFault, parseRanges, resolvePublic } from "./address-guard.ts";

const nothing = parseRanges("");

/** IPv6 text of an IPv4 address at the end of a prefix of 96 bits. */
const embedded = (prefix: string, [a, b, c, d]: readonly number[]) =>
  `${prefix}${((a! << 8) | b!).toString(16)}:${((c! << 8) | d!).toString(16)}`;

describe("an address that webhooks must not call", () => {
  it.each([
    ["0.0.0.0", "an unspecified address"],
    ["0.1.2.3", "an unspecified address"],
    ["10.0.0.1", "a private address"],
    ["172.16.0.1", "a private address"],
    ["172.31.255.255", "a private address"],
    ["192.168.1.1", "a private address"],
    ["100.64.0.1", "a carrier-grade NAT address"],
    ["100.100.100.200", "a carrier-grade NAT address"],
    ["127.0.0.1", "a loopback address"],
    ["127.255.255.254", "a loopback address"],
    ["169.254.169.254", "a link-local address"],
    ["169.254.170.2", "a link-local address"],
    ["168.63.129.16", "a metadata address"],
    ["192.0.0.192", "a reserved address"],
    ["192.0.2.1", "a reserved address"],
    ["192.88.99.1", "a reserved address"],
    ["198.18.0.1", "a reserved address"],
    ["198.51.100.1", "a reserved address"],
    ["203.0.113.1", "a reserved address"],
    ["224.0.0.1", "a multicast address"],
    ["239.255.255.255", "a multicast address"],
    ["240.0.0.1", "a reserved address"],
    ["255.255.255.255", "a broadcast address"],
    ["192.52.193.1", "not a public address"],
    ["::", "an unspecified address"],
    ["::1", "a loopback address"],
    ["::7f00:1", "not a public address"],
    ["::127.0.0.1", "an IPv4 address in IPv6"],
    ["::ffff:127.0.0.1", "an IPv4 address in IPv6"],
    ["::ffff:7f00:1", "an IPv4 address in IPv6"],
    ["::ffff:8.8.8.8", "an IPv4 address in IPv6"],
    ["::ffff:0:127.0.0.1", "an IPv4 address in IPv6"],
    ["64:ff9b::7f00:1", "an IPv4 address in IPv6 (NAT64)"],
    ["64:ff9b::10.0.0.1", "an IPv4 address in IPv6 (NAT64)"],
    ["64:ff9b:1::1", "an IPv4 address in IPv6 (NAT64)"],
    ["2002:7f00:1::", "an IPv4 address in IPv6 (6to4)"],
    ["2001::1", "an IPv4 address in IPv6 (Teredo)"],
    ["2001:db8::1", "a reserved address"],
    ["3fff::1", "a reserved address"],
    ["100::1", "not a public address"],
    ["5f00::1", "not a public address"],
    ["fc00::1", "a unique-local address"],
    ["fd00:ec2::254", "a unique-local address"],
    ["fe80::1", "a link-local address"],
    ["fe80::1%eth0", "a link-local address"],
    ["fe80::a9fe:a9fe%br-0.1", "a link-local address"],
    ["fec0::1", "not a public address"],
    ["ff02::1", "a multicast address"],
    ["4000::1", "not a public address"],
    ["", "not an address"],
    ["example.com", "not an address"],
    ["127.1", "not an address"],
    ["2130706433", "not an address"],
    ["0177.0.0.1", "not an address"],
  ])("is %s: %s", (address, fault) => {
    expect(addressFault(address, nothing)).toBe(fault);
  });

  it("is any IPv6 address but the public ones", () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const isPublicBlock = /^[23][0-9a-f]{3}:/i.test(address);

        expect(isPublicBlock || addressFault(address, nothing) !== undefined).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it("is any IPv4 address inside IPv6", () => {
    const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
    const prefix = fc.constantFrom("::", "::ffff:", "::ffff:0:", "64:ff9b::", "64:ff9b:1::");
    fc.assert(
      fc.property(prefix, octets, (before, address) => {
        expect(addressFault(embedded(before, address), nothing)).toBeDefined();
        expect(addressFault(`${embedded("2002:", address)}::1`, nothing)).toBeDefined();
      }),
    );
  });
});

describe("an address that webhooks may call", () => {
  it.each([
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "2a00:1450::1",
  ])("is a public one: %s", (address) => {
    expect(addressFault(address, nothing)).toBeUndefined();
  });

  it("is one in an allowed range, and no other", () => {
    const allowed = parseRanges("127.0.0.0/8, fd00::/8,169.254.169.254/32");

    expect(addressFault("127.0.0.1", allowed)).toBeUndefined();
    expect(addressFault("fd12::1", allowed)).toBeUndefined();
    expect(addressFault("169.254.169.254", allowed)).toBeUndefined();
    expect(addressFault("10.0.0.1", allowed)).toBe("a private address");
    expect(addressFault("169.254.169.253", allowed)).toBe("a link-local address");
    expect(addressFault("::ffff:127.0.0.1", allowed)).toBe("an IPv4 address in IPv6");
    expect(addressFault("::1", allowed)).toBe("a loopback address");
  });
});

describe("the ranges that are allowed", () => {
  const schema = env.shape.WEBHOOK_ALLOW;

  it("can be read whenever the environment is valid", () => {
    const range = fc.oneof(
      fc.tuple(fc.ipV4(), fc.nat(32)).map(([address, bits]) => `${address}/${bits}`),
      fc.tuple(fc.ipV6(), fc.nat(128)).map(([address, bits]) => `${address}/${bits}`),
    );
    fc.assert(
      fc.property(fc.array(range, { minLength: 1, maxLength: 4 }), (ranges) => {
        const text = ranges.join(", ");

        expect(schema.safeParse(text).success).toBe(true);
        expect(parseRanges(text)).toHaveLength(ranges.length);
      }),
    );
  });

  it.each(["127.0.0.1", "127.0.0.0/33", "10.0.0.0/8,", "localhost/8", "::1/129", "*", "0177.0.0.0/8"])(
    "are not valid as %j",
    (text) => {
      expect(schema.safeParse(text).success).toBe(false);
    },
  );
});

describe("a receiver's host", () => {
  it.each([
    ["http://127.0.0.1:6379/", "refused: 127.0.0.1 is a loopback address"],
    ["http://2130706433/", "refused: 127.0.0.1 is a loopback address"],
    ["http://0x7f.1/", "refused: 127.0.0.1 is a loopback address"],
    ["http://0177.0.0.01/", "refused: 127.0.0.1 is a loopback address"],
    ["http://①②⑦.⓪.⓪.①/", "refused: 127.0.0.1 is a loopback address"],
    ["http://127。0。0。1/", "refused: 127.0.0.1 is a loopback address"],
    ["http://[::1]/", "refused: ::1 is a loopback address"],
    ["http://[::ffff:127.0.0.1]/", "refused: ::ffff:7f00:1 is an IPv4 address in IPv6"],
    ["http://[::127.0.0.1]/", "refused: ::7f00:1 is not a public address"],
    ["http://0/", "refused: 0.0.0.0 is an unspecified address"],
    ["http://localhost/", expect.stringMatching(/^refused: localhost is at \S+, a loopback address$/)],
  ])("is refused for good if it leads inside: %s", async (url, message) => {
    const resolved = resolvePublic(new URL(url), nothing);

    await expect(resolved).rejects.toThrow(PermanentError);
    await expect(resolved).rejects.toMatchObject({ message });
  });

  it("is recognised in each notation that a URL may have", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(0xffff_ffff), async (number) => {
        const dotted = [24, 16, 8, 0].map((shift) => (number >>> shift) & 255);
        const forms = [
          String(number),
          `0x${number.toString(16)}`,
          `0${number.toString(8)}`,
          dotted.map((octet) => `0${octet.toString(8)}`).join("."),
        ];
        const allowed = parseRanges("0.0.0.0/0");
        for (const form of forms) {
          expect(await resolvePublic(new URL(`http://${form}/`), allowed)).toEqual([
            { address: dotted.join("."), family: 4 },
          ]);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("can be tried again if its name does not resolve", async () => {
    await expect(resolvePublic(new URL("http://receiver.invalid/"), nothing)).rejects.not.toThrow(
      PermanentError,
    );
  });

  it("resolves to addresses", async () => {
    const addresses = await resolvePublic(new URL("http://localhost/"), parseRanges("127.0.0.0/8,::1/128"));

    expect(addresses.length).toBeGreaterThan(0);
    for (const { address } of addresses) expect(isIP(address)).not.toBe(0);
  });
});

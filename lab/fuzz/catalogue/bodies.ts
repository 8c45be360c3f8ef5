import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import type { Random } from "../../../test/support/random.ts";
import { JSON_TYPE, request, submission } from "../lib/request.ts";
import { anyText, type Group, job } from "./kind.ts";

const MIB = 1_048_576;

/** Ten megabytes in ten kilobytes. */
const bombs = (
  [
    ["gzip", gzipSync],
    ["br", brotliCompressSync],
    ["deflate", deflateSync],
  ] as const
).map(([name, compress]) => ({ name, bytes: compress(Buffer.alloc(10 * MIB, 0x20)) }));

export const bodies: Group = {
  name: "bodies",
  kinds: [
    {
      name: "too large, as declared",
      make: (random) => declared(random.between(MIB + 1, 2 ** 40)),
      expected: "refusal",
    },
    {
      name: "too large, in chunks that do not say so",
      make: (random) => chunked(MIB + random.between(1, MIB)),
      cost: 10,
    },
    { name: "a batch that is too large", make: (random) => tooLargeBatch(random), cost: 40 },
    { name: "compressed, small or a bomb", make: compressed },
    { name: "not JSON", make: (random) => submission(broken(random)) },
    {
      name: "JSON, but not an object",
      make: (random) => submission(random.pick(["null", "[]", "1", '"x"', "true", "[[]]"])),
    },
    { name: "not application/json", make: otherType },
    { name: "in another declared encoding", make: otherCharset },
    {
      name: "with unknown members",
      make: (random) => submission(JSON.stringify(job(random, { [`x${anyText(random)}`]: 1 }))),
    },
    { name: "without required members", make: (random) => submission(JSON.stringify(lacking(random))) },
    { name: "with members of wrong types", make: (random) => submission(JSON.stringify(mistyped(random))) },
    { name: "wrong in thousands of places", make: (random) => submission(wrongAllOver(random)), cost: 10 },
  ],
};

function declared(length: number): Buffer {
  return request({ headers: [JSON_TYPE, ["Content-Length", String(length)]] });
}

function chunked(length: number): Buffer {
  const chunk = `10000\r\n${"x".repeat(65_536)}\r\n`.repeat(Math.ceil(length / 65_536));
  const head = request({ headers: [JSON_TYPE, ["Transfer-Encoding", "chunked"]] });
  return Buffer.concat([head, Buffer.from(`${chunk}0\r\n\r\n`)]);
}

function tooLargeBatch(random: Random): Buffer {
  const text = "x".repeat(4 * MIB + random.between(0, MIB));
  return submission(JSON.stringify({ jobs: [job(random, { payload: text })] }), "/jobs/batch");
}

function compressed(random: Random): Buffer {
  const { name, bytes } = random.pick(bombs);
  const encoding = random.pick([
    name,
    name.toUpperCase(),
    `identity, ${name}`,
    `x-${name}`,
    "zstd",
    "compress",
  ]);
  const body = random.pick([bytes, gzipSync(JSON.stringify(job(random)))]);
  return request({ headers: [JSON_TYPE, ["Content-Encoding", encoding]], body });
}

/** A good body with something invalid in JSON, or a part of one. */
function broken(random: Random): string {
  const good = JSON.stringify(job(random));
  return random.pick([
    () => good.slice(0, random.between(0, good.length - 1)),
    () => `${good}${random.pick(["}", "x", good, "\0", ","])}`,
    () => good.replaceAll('"', "'"),
    () => good.replace("}", ",}"),
    () => good.replace(/\d/, random.pick(["NaN", "Infinity", "01", "+1", ".5", "0x1f", "1n", "undefined"])),
    () => `\ufeff${good}`,
    () => `/* a job */ ${good}`,
    () => good.replace('"', '"\n'),
    () => good.replace('"', '"\\x'),
    () => anyText(random, 200).replace(/^[\d"]/, "?"),
  ])();
}

function otherType(random: Random): Buffer {
  const type = random.pick([
    "text/plain",
    "text/json",
    "application/xml",
    "application/x-www-form-urlencoded",
    "application/jsonx",
    "json",
    "multipart/form-data; boundary=x",
    "application/json-patch+json",
    "application",
    "*/*",
    "",
    "/",
    ";",
    "application/",
    "application/json application/json",
    "application/json, text/plain",
    `${"x".repeat(5_000)}/json`,
  ]);
  return request({ headers: [["Content-Type", type]], body: JSON.stringify(job(random)) });
}

function otherCharset(random: Random): Buffer {
  const charset = random.pick([
    "latin1",
    "iso-8859-1",
    '"utf-16"',
    "utf-32",
    "us-ascii",
    "UTF-7",
    "nonsense",
  ]);
  const type = `application/json;${random.pick([" ", "", " q=1; "])}charset=${charset}`;
  return request({ headers: [["Content-Type", type]], body: JSON.stringify(job(random)) });
}

function lacking(random: Random): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(job(random))
      .filter(([name]) => name !== random.pick(["type", "payload", "idempotencyKey"]))
      .slice(0, 2),
  );
}

function mistyped(random: Random): Record<string, unknown> {
  const other = random.pick<unknown>([5, true, [], {}, null, 1.5, ["anything"]]);
  return job(random, {
    [random.pick(["type", "idempotencyKey", "options"])]:
      other === null ? 0 : Array.isArray(other) ? other : other === true ? true : [other],
  });
}

/** Issues that could make the answer, or its pointers, far larger than the request. */
function wrongAllOver(random: Random): string {
  const many = 20_000;
  const payload = random.pick([
    () => `{"${"n".repeat(300_000)}":[${'"\\ud800",'.repeat(many)}1e999]}`,
    () => `[${"1e999,".repeat(many)}1e999]`,
    () => `{${Array.from({ length: many }, (_, at) => `"__proto__":${at}`).join()}}`,
    () => `{"a":1${',"a":1'.repeat(many)}}`,
  ])();
  const letter = JSON.stringify({ to: "x", name: "", lines: Array.from({ length: many }, () => 1) });
  const [type, wrong] = random.pick([
    ["anything", payload],
    ["letter", letter],
  ] as const);
  return `{"type":"${type}","idempotencyKey":"k","payload":${wrong}}`;
}

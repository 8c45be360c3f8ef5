import type { Random } from "../../../test/support/random.ts";
import { submission } from "../lib/request.ts";
import { anyText, type Group, job, withPayload } from "./kind.ts";

const poison = ["__proto__", "constructor", "\\u005f_proto__", "constr\\u0075ctor"] as const;
const surrogates = ["\\ud800", "\\udfff", "a\\udc00b", "\\udc00\\ud800", "\\uDBFF"] as const;

/** Bytes that are not UTF-8: truncated, overlong, surrogates, beyond Unicode, Latin-1. */
const noUtf8 = [
  [0xff],
  [0xc3],
  [0xc0, 0xaf],
  [0xe0, 0x80, 0x80],
  [0xed, 0xa0, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xe4],
  [0x80],
];

/** Valid JSON that must be refused. */
export const json: Group = {
  name: "JSON that parses",
  kinds: [
    { name: "deeper than 64 levels", make: (random) => submission(deep(random)) },
    { name: "deeper than any stack", make: (random) => submission(veryDeep(random)), cost: 10 },
    {
      name: "numbers beyond a double",
      make: (random) => submission(withPayload(random, outOfRange(random))),
    },
    {
      name: "whole numbers that would change",
      make: (random) => submission(withPayload(random, changing(random))),
    },
    { name: "a member twice", make: (random) => submission(twice(random)) },
    {
      name: "`__proto__` and `constructor`",
      make: (random) =>
        submission(
          withPayload(
            random,
            `{"${random.pick(poison)}":${random.pick(["1", "{}", '{"prototype":{"a":1}}', "null"])}}`,
          ),
        ),
    },
    { name: "bytes that are not UTF-8", make: (random) => submission(invalidUtf8(random)) },
    { name: "lone surrogates", make: (random) => submission(withPayload(random, surrogate(random))) },
    {
      name: "a batch of bad jobs",
      expected: "results",
      cost: 5,
      make: (random) => submission(badBatch(random), "/jobs/batch"),
    },
    { name: "an invalid batch", make: (random) => submission(noBatch(random), "/jobs/batch") },
    { name: "invalid payloads", make: (random) => submission(JSON.stringify(unfit(random))) },
    {
      name: "invalid options",
      make: (random) => submission(JSON.stringify(job(random, { options: badOptions(random) }))),
    },
    {
      name: "unknown types",
      make: (random) => submission(JSON.stringify(job(random, { type: unknownType(random) }))),
    },
  ],
};

function deep(random: Random): string {
  const levels = random.between(64, 2_000);
  const [open, close] = random.pick([
    ["[", "]"],
    ['{"a":', "}"],
  ] as const);
  return `{"type":"anything","idempotencyKey":"k","payload":${open.repeat(levels)}0${close.repeat(levels)}}`;
}

function veryDeep(random: Random): string {
  const levels = random.between(10_000, 500_000);
  return `{"type":"anything","idempotencyKey":"k","payload":${"[".repeat(levels)}${"]".repeat(levels)}}`;
}

function outOfRange(random: Random): string {
  const digits = String(random.between(1, 9));
  return random.pick([
    `${digits}e${random.between(309, 99_999)}`,
    `-${digits}.5E+${random.between(309, 9_999)}`,
    `${digits}e-${random.between(330, 9_999)}`,
    digits.repeat(random.between(310, 2_000)),
    `0.${"0".repeat(random.between(330, 900))}${digits}`,
  ]);
}

function changing(random: Random): string {
  const odd = 2n ** BigInt(random.between(53, 69)) + BigInt(2 * random.between(0, 100) + 1);
  return `${random.pick(["", "-"])}${odd}`;
}

function twice(random: Random): string {
  const name = anyText(random);
  const plain = JSON.stringify(name);
  const escaped = `"${Array.from({ length: name.length }, (_, at) => `\\u${name.charCodeAt(at).toString(16).padStart(4, "0")}`).join("")}"`;
  const again = `{${plain}:1,${random.pick([plain, escaped])}:${random.pick(["1", "2"])}}`;
  return random.pick([
    () => withPayload(random, again),
    () => withPayload(random, "1").replace("{", '{"type":"anything",'),
    () => withPayload(random, "1").replace(/}$/, ',"payload":1}'),
    () => withPayload(random, "1").replace("{", '{"idempotency\\u004bey":"other",'),
  ])();
}

function invalidUtf8(random: Random): Buffer {
  const [before = "", after = ""] = withPayload(random, '"#"').split("#");
  return Buffer.concat([Buffer.from(before), Buffer.from(random.pick(noUtf8)), Buffer.from(after)]);
}

function surrogate(random: Random): string {
  const text = random.pick(surrogates);
  return random.pick([`"${text}"`, `{"${text}":1}`]);
}

function badBatch(random: Random): string {
  const length = random.between(1, 100);
  const bad = () =>
    random.pick([
      () => withPayload(random, outOfRange(random)),
      () => withPayload(random, changing(random)),
      () => twice(random),
      () => withPayload(random, surrogate(random)),
      () => deep(random),
      () => JSON.stringify(unfit(random)),
      () => random.pick(["null", "1", "[]", "{}", '"x"']),
    ])();
  return `{"jobs":[${Array.from({ length }, bad).join()}]}`;
}

function noBatch(random: Random): string {
  return random.pick([
    () => "{}",
    () => '{"jobs":[]}',
    () => '{"jobs":{}}',
    () => JSON.stringify(job(random)),
    () => JSON.stringify([job(random)]),
    () => JSON.stringify({ jobs: [job(random)], more: 1 }),
    () => JSON.stringify({ jobs: Array.from({ length: 1_001 }, () => job(random)) }),
    () => `{"jobs":[${JSON.stringify(job(random))}],"jobs":[${JSON.stringify(job(random))}]}`,
    () => `{"jobs":[${JSON.stringify(job(random))}],"__proto__":1}`,
  ])();
}

function unfit(random: Random): Record<string, unknown> {
  const payload = random.pick<unknown>([
    null,
    {},
    { to: anyText(random).replaceAll("@", ""), name: "x" },
    { to: "a@example.com", name: "" },
    { to: "a@example.com", name: "x".repeat(21) },
    { to: "a@example.com", name: "x", [`x${anyText(random)}`]: 1 },
    { to: "a@example.com", name: "x", copies: random.pick([0, 10, 1.5, "1"]) },
    { to: "a@example.com", name: "x", lines: random.pick<unknown>([{}, "x", [1], [null]]) },
  ]);
  return job(random, { type: "letter", payload });
}

function badOptions(random: Random): unknown {
  return random.pick<unknown>([
    { delayMs: -random.between(1, 1e9) },
    { delayMs: random.between(1, 9) + 0.5 },
    { delayMs: random.between(4e10, 2 ** 50) },
    { delayMs: String(random.between(1, 9)) },
    { priority: -1 },
    { priority: 2_097_152 },
    { runAt: anyText(random) },
    { runAt: "2026-02-30T00:00:00Z" },
    { runAt: "9999-12-31T23:59:59Z" },
    { runAt: "2026-12-01T09:00:00Z", delayMs: 0 },
    { attempts: 9 },
    { [`x${anyText(random)}`]: 1 },
  ]);
}

function unknownType(random: Random): string {
  return random.pick([
    "",
    "Anything",
    "anything ",
    "constructor",
    "toString",
    "hasOwnProperty",
    "x".repeat(10_000),
    `x${anyText(random)}`,
  ]);
}

import type { Random } from "../../../test/support/random.ts";
import type { Manner } from "../lib/exchange.ts";
import type { Expected } from "../lib/judge.ts";

/** One kind of bad input. */
export interface Kind {
  readonly name: string;
  /** @default "refusal" */
  readonly expected?: Expected;
  /** How to send it. */
  readonly manner?: Manner;
  /** Cost relative to other kinds; cheap kinds get more variants. @default 1 */
  readonly cost?: number;
  /** Makes another variant with each call. */
  readonly make: (random: Random) => Buffer;
}

export interface Group {
  readonly name: string;
  readonly kinds: readonly Kind[];
}

/** Text of any Unicode characters except surrogates. */
export function anyText(random: Random, lengthMax = 20): string {
  const length = random.between(1, lengthMax);
  return Array.from({ length }, () => {
    const point = random.pick([
      random.between(0x20, 0x7e),
      random.between(0xa1, 0xd7ff),
      random.between(0xe000, 0x10ffff),
    ]);
    return String.fromCodePoint(point);
  }).join("");
}

/** A good submission with some members changed. */
export function job(
  random: Random,
  changes: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return {
    type: "anything",
    payload: { n: random.between(0, 9) },
    idempotencyKey: newKey(random),
    ...changes,
  };
}

export function newKey(random: Random): string {
  return `fuzz-${random.between(0, 2 ** 32)}-${random.between(0, 2 ** 32)}`;
}

/** A good submission whose payload is this text. */
export function withPayload(random: Random, payload: string): string {
  const [before, after] = random.pick([
    ["", ""],
    ['{"a":', "}"],
    ["[1,", "]"],
    ['{"a":[{"b":', "}]}"],
  ]);
  return `{"type":"anything","idempotencyKey":"${newKey(random)}","payload":${before}${payload}${after}}`;
}

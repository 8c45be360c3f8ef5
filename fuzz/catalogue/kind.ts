import type { Random } from "../../faults/lib/random.ts";
import type { Manner } from "../lib/exchange.ts";
import type { Expected } from "../lib/judge.ts";

/** One way in which input can be bad. */
export interface Kind {
  readonly name: string;
  /** @default "refusal" */
  readonly expected?: Expected;
  /** How it is sent. */
  readonly manner?: Manner;
  /** How many variants cost as much as one of other kinds; more are tried of cheap ones. @default 1 */
  readonly cost?: number;
  /** Bytes to send; another variant with each call. */
  readonly make: (random: Random) => Buffer;
}

export interface Group {
  readonly name: string;
  readonly kinds: readonly Kind[];
}

/** Some text of any characters that Unicode has, surrogates aside. */
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

/** The text of a good submission whose payload is this text, at some depth. */
export function withPayload(random: Random, payload: string): string {
  const [before, after] = random.pick([
    ["", ""],
    ['{"a":', "}"],
    ["[1,", "]"],
    ['{"a":[{"b":', "}]}"],
  ]);
  return `{"type":"anything","idempotencyKey":"${newKey(random)}","payload":${before}${payload}${after}}`;
}

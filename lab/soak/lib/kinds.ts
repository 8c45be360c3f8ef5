/** One submission, and its expected outcome. */
export interface Planned {
  readonly body: {
    readonly type: string;
    readonly idempotencyKey: string;
    readonly payload: { readonly text: string };
    readonly options?: { readonly delayMs: number };
  };
  readonly ends: "completed" | "failed";
  readonly hasEffect: boolean;
}

interface Kind {
  readonly type: string;
  /** Of a hundred jobs. */
  readonly share: number;
  readonly ends: Planned["ends"];
  readonly hasEffect?: true;
  readonly delayMs?: number;
}

const kinds: readonly Kind[] = [
  { type: "plain", share: 35, ends: "completed" },
  { type: "acting", share: 25, ends: "completed", hasEffect: true },
  { type: "flaky", share: 12, ends: "completed", hasEffect: true },
  { type: "slow", share: 8, ends: "completed" },
  { type: "plain", share: 9, ends: "completed", delayMs: 1_000 },
  { type: "acting", share: 6, ends: "completed", hasEffect: true, delayMs: 4_000 },
  { type: "broken", share: 3, ends: "failed" },
  { type: "refused", share: 2, ends: "failed" },
];

const hundred = kinds.flatMap((kind) => Array.from({ length: kind.share }, () => kind));
/** Coprime to a hundred, so that every kind gets its share and none comes in a row. */
const STRIDE = 37;

const TEXT = "a payload of a common size, ".repeat(8);

/** The job with this number, the same in every run. */
export function plannedJob(number: number): Planned {
  const kind = hundred[(number * STRIDE) % hundred.length];
  if (kind === undefined) throw new RangeError(`There is no job ${number}`);
  return {
    body: {
      type: kind.type,
      idempotencyKey: `soak-${number}`,
      payload: { text: `${number}: ${TEXT}` },
      ...(kind.delayMs !== undefined && { options: { delayMs: kind.delayMs } }),
    },
    ends: kind.ends,
    hasEffect: kind.hasEffect === true,
  };
}

import { HoldfastError } from "../errors/holdfast-error.ts";

/** Whose turn a job takes. Jobs of one queue and priority share the queue's capacity among these keys, not in order of submission. */
export interface Fairness<Payload = unknown> {
  /** Names the tenant: 1 to 255 characters. Runs in the producer, on the checked payload; only a hash is stored. */
  key(payload: Payload): string;
  /**
   * How many turns a tenant gets for each turn of a tenant of weight 1: 0.01 to 100.
   *
   * @default 1 for each
   */
  weight?(key: string): number;
}

/** Whose turn one job takes. */
export interface FairShare {
  readonly key: string;
  readonly weight: number;
}

const KEY_MAX = 255;
const WEIGHT_MIN = 0.01;
const WEIGHT_MAX = 100;

/** @throws HoldfastError `INVALID_PAYLOAD` if a function throws, or returns what it must not */
export function fairShareOf(
  { key: keyOf, weight: weightOf = () => 1 }: Fairness,
  payload: unknown,
): FairShare {
  const key = call("key", () => keyOf(payload));
  if (typeof key !== "string" || key.length === 0 || key.length > KEY_MAX)
    throw refused(`key: expected to return 1 to ${KEY_MAX} characters, got ${shown(key)}`);
  const weight = call("weight", () => weightOf(key));
  if (typeof weight !== "number" || !(weight >= WEIGHT_MIN && weight <= WEIGHT_MAX))
    throw refused(`weight: expected to return ${WEIGHT_MIN} to ${WEIGHT_MAX}, got ${shown(weight)}`);
  return { key, weight };
}

function call(name: string, run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    throw refused(`${name}: expected to return, but it threw`, error);
  }
}

/** Quotes no text: it may be a secret of the payload. */
function shown(value: unknown): string {
  if (typeof value === "string") return `${value.length} characters`;
  return typeof value === "number" ? String(value) : typeof value;
}

function refused(fault: string, cause?: unknown): HoldfastError {
  return new HoldfastError("INVALID_PAYLOAD", `/payload: fairness.${fault}`, {
    cause,
    issues: [{ pointer: "/payload", message: `fairness.${fault}` }],
  });
}

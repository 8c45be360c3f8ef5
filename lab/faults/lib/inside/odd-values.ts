import { RetryAfterError } from "holdfast";
import type { OddKind } from "./odd-kinds.ts";

type Progress = (value: number) => Promise<void>;

const hostile = () => {
  throw new Error("hostile");
};
const cycle: { self?: unknown } = {};
cycle.self = cycle;

const fail = (thrown: unknown) => async () => {
  throw thrown;
};
const report = (value: unknown) => (progress: Progress) => progress(value as number);
const give = (value: unknown) => async () => value;

export const oddValues: Record<OddKind, (progress: Progress) => Promise<unknown>> = {
  retryHuge: fail(new RetryAfterError(1e20)),
  retryInfinite: fail(new RetryAfterError(Number.POSITIVE_INFINITY)),
  retryNaN: fail(new RetryAfterError(Number.NaN)),
  retryText: fail(new RetryAfterError("an hour" as unknown as number)),
  throwUndefined: fail(undefined),
  throwNull: fail(null),
  throwNoText: fail({ toString: hostile }),
  throwProxy: fail(new Proxy({}, { get: hostile, getPrototypeOf: hostile, has: hostile })),
  throwOddMessage: fail(Object.assign(new Error("x"), { message: 42, stack: 42 })),
  progressBigInt: report(1n),
  progressCycle: report(cycle),
  progressNaN: report(Number.NaN),
  resultBigInt: give(1n),
  resultCycle: give(cycle),
  resultThrows: give({ toJSON: hostile }),
};

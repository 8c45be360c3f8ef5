/** What a handler does wrong. */
export const oddKinds = [
  "retryHuge",
  "retryInfinite",
  "retryNaN",
  "retryText",
  "throwUndefined",
  "throwNull",
  "throwNoText",
  "throwProxy",
  "throwOddMessage",
  "progressBigInt",
  "progressCycle",
  "progressNaN",
  "resultBigInt",
  "resultCycle",
  "resultThrows",
] as const;
export type OddKind = (typeof oddKinds)[number];

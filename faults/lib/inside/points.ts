/** Where a fault can be injected: Holdfast's failpoints, and two inside the laboratory's effect. */
export const injectionPoints = [
  "reserve:before",
  "reserve:after",
  "effect:begun",
  "effect:recorded",
  "commit:before",
  "commit:after",
  "finish:before",
  "finish:after",
] as const;
export type InjectionPoint = (typeof injectionPoints)[number];

/** `kill` and `stop` hit the worker, `store` hits Redis while the worker waits, and `cancel` cancels the job. */
export const injectionKinds = ["kill", "stop", "store", "cancel"] as const;
export type InjectionKind = (typeof injectionKinds)[number];

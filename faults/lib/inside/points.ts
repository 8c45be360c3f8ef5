/** Where in an attempt a fault strikes: Holdfast's own fault points, and two inside the laboratory's effect. */
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

/**
 * `kill` and `stop` strike the worker itself; `store` strikes the store while the worker stands at the point, and `cancel`
 * the job.
 */
export const injectionKinds = ["kill", "stop", "store", "cancel"] as const;
export type InjectionKind = (typeof injectionKinds)[number];

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

/** Around the commit of a database effect: it was sent, and PostgreSQL has acknowledged it. */
export const commitPoints = ["database:sent", "database:committed"] as const;
export type CommitPoint = (typeof commitPoints)[number];

/** `kill` and `stop` hit the worker, `store` hits Redis while the worker waits. */
export const injectionKinds = ["kill", "stop", "store"] as const;
export type InjectionKind = (typeof injectionKinds)[number];

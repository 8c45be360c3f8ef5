import type { InjectionKind, InjectionPoint } from "./points.ts";

/** What each process of the guard's experiment reads: keys, and what happens to whoever is first at one. */
export interface GuardPlan {
  readonly timeoutMs: number;
  readonly keys: Readonly<Record<string, PlannedKey>>;
}

export interface PlannedKey {
  readonly inject?: { readonly at: InjectionPoint; readonly how: InjectionKind };
  /** Whether others' runs of its effect act only once the first, which slept, has gone on. @default false */
  readonly outlastsFirst?: boolean;
}

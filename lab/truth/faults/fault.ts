/** What ends the waiting for a slow downstream. */
export const clocks = [
  "library",
  "AbortSignal.timeout",
  "AbortSignal.any",
  "Promise.race",
  "effect",
] as const;
export type Clock = (typeof clocks)[number];

/** Where a call goes instead of to a downstream that listens. */
export type Nowhere = "closed port" | "unknown host" | "untrusted certificate";

/** What a call asks for, instead of one write: something that downstream must refuse, or a write in a transaction. */
export const asks = ["refused", "transaction"] as const;
export type Ask = (typeof asks)[number];

/** Why an effect is not done for certain: downstream refused, or was never reached. Then a doubt is needless. */
export type Proof = "refused" | "never reached";

/** How a downstream misbehaves. `Exchange` is one call, as its protocol sees it. */
export interface Fault<Exchange> {
  readonly name: string;
  /** Whether it acts before it misbehaves. */
  readonly acts: boolean;
  /** @default nothing proves anything */
  readonly proof?: Proof;
  /** It acts and says that it refused: no classifier can see through that. */
  readonly isLie?: boolean;
  /** @default one write */
  readonly ask?: Ask;
  /** Ends the waiting. @default the library answers, or fails, by itself */
  readonly clock?: Clock;
  /** @default it listens */
  readonly nowhere?: Nowhere;
  /** Whether it speaks TLS, with a certificate that the runtime trusts. */
  readonly isSecure?: boolean;
  /** Whether the library has a connection to it before the effect begins, which nobody saw being made. */
  readonly isWarm?: boolean;
  /** Whether it is gone after the first call: connections are refused then. */
  readonly isThenGone?: boolean;
  /** Of how many calls downstream refuses one, and acts upon the others. @default it does the same to all */
  readonly refusesOneIn?: number;
  /** Also tried with a client that many share. */
  readonly isForShared?: boolean;
  /** Part of the short form. */
  readonly isQuick?: boolean;
  /** Answers one call. @default not at all */
  readonly answer?: (exchange: Exchange) => void;
}

/** It acts and never answers; each clock ends the waiting in its own way. */
export function slowFaults<Exchange>(): Fault<Exchange>[] {
  return clocks.map((clock) => ({
    name: `is slow: ${clock}`,
    acts: true,
    clock,
    isQuick: clock !== "AbortSignal.any",
  }));
}

/** It is never reached. */
export function nowhereFaults<Exchange>(): Fault<Exchange>[] {
  const proof = "never reached";
  return [
    { name: "refuses the connection", acts: false, proof, nowhere: "closed port", isQuick: true },
    { name: "has an unknown name", acts: false, proof, nowhere: "unknown host" },
  ];
}

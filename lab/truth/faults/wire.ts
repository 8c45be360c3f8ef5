import { type Fault, nowhereFaults, slowFaults } from "./fault.ts";

/** What a proxy in front of a real database does to a connection. */
export interface WireFault extends Fault<never> {
  /** Where it happens: at the login, at the statement, or at its commit. @default the statement */
  readonly at?: "login" | "statement" | "commit";
  /** Whether the database gets it before. */
  readonly does?: "reset" | "close" | "break off" | "HTTP" | "lose";
}

/** Of databases: the statement is carried out, or in a transaction of its own. */
export const sqlFaults: readonly WireFault[] = [
  { name: "writes", acts: true, isQuick: true },
  { name: "writes in a transaction", acts: true, ask: "transaction" },
  { name: "refuses the statement", acts: false, proof: "refused", ask: "refused", isQuick: true },
  ...connectionFaults(),
  { name: "resets before COMMIT", acts: false, ask: "transaction", at: "commit", does: "lose" },
  { name: "resets after COMMIT", acts: true, ask: "transaction", at: "commit", does: "reset" },
  { name: "closes after COMMIT", acts: true, ask: "transaction", at: "commit", does: "close" },
  { name: "breaks the reply to COMMIT off", acts: true, ask: "transaction", at: "commit", does: "break off" },
];

/** Of stores that have no transactions, or whose libraries do not offer them here. */
export const storeFaults: readonly WireFault[] = [
  { name: "writes", acts: true, isQuick: true },
  { name: "refuses the command", acts: false, proof: "refused", ask: "refused", isQuick: true },
  ...connectionFaults(),
];

function connectionFaults(): WireFault[] {
  return [
    { name: "resets at the login", acts: false, proof: "never reached", at: "login", does: "lose" },
    { name: "resets before the statement", acts: false, does: "lose" },
    { name: "resets after the statement", acts: true, does: "reset", isQuick: true },
    { name: "closes after the statement", acts: true, does: "close", isQuick: true },
    { name: "breaks its reply off", acts: true, does: "break off" },
    { name: "answers HTTP", acts: true, does: "HTTP" },
    ...slowFaults<never>(),
    ...nowhereFaults<never>(),
    { name: "acts, resets, is then gone", acts: true, does: "reset", isThenGone: true, isQuick: true },
    {
      name: "acts on an old connection, resets, is then gone",
      acts: true,
      isWarm: true,
      does: "reset",
      isThenGone: true,
      isQuick: true,
    },
  ];
}

/** What a misbehaving downstream does, and what that proves. */
interface Misbehaviour {
  /** Whether the effect happens: never, before it misbehaves, or when its client has given up. */
  readonly acts: "never" | "first" | "late";
  /** Whether it proves that nothing happened: the effect must run again by itself. */
  readonly proves?: true;
  /** A mail server cannot do it. */
  readonly isHttpAlone?: true;
}

export const misbehaviours = {
  "resets unread": { acts: "never" },
  "closes unread": { acts: "never" },
  resets: { acts: "first" },
  closes: { acts: "first" },
  truncates: { acts: "first" },
  babbles: { acts: "first" },
  declines: { acts: "never", proves: true },
  limits: { acts: "never", proves: true },
  fails: { acts: "never", isHttpAlone: true },
  "fails after": { acts: "first", isHttpAlone: true },
  "answers HTML": { acts: "first", isHttpAlone: true },
  "answers oddly": { acts: "first", isHttpAlone: true },
  "redirects away": { acts: "first", isHttpAlone: true },
  "is slow": { acts: "first" },
  stalls: { acts: "first", isHttpAlone: true },
  "acts late": { acts: "late" },
  "refuses connections": { acts: "never", proves: true },
  "acts, then refuses": { acts: "first" },
  "acts, then declines": { acts: "first", isHttpAlone: true },
} as const satisfies Record<string, Misbehaviour>;

export type Fault = keyof typeof misbehaviours;
export const faults = Object.keys(misbehaviours) as readonly Fault[];

/** What the downstream does at one call of the effect. */
export const moves = [...faults, "answers"] as const;
export type Move = (typeof moves)[number];

/** Client libraries as people use them; some send again by themselves. */
export const httpClients = [
  "fetch",
  "fetch, sent again",
  "node:http, queued and sent again",
  "undici",
  "undici RetryAgent",
  "node:http",
  "node:http, raced",
] as const;
export const mailClients = ["nodemailer", "nodemailer pool"] as const;
export const clients = [...httpClients, ...mailClients] as const;
export type HttpClient = (typeof httpClients)[number];
export type MailClient = (typeof mailClients)[number];
export type ClientName = (typeof clients)[number];

export function isMailClient(client: ClientName): client is MailClient {
  return mailClients.some((each) => each === client);
}

/** What a queue sends in another asynchronous context is not seen: docs/effects.md. */
export function isUnseen(client: ClientName): boolean {
  return client === "node:http, queued and sent again";
}

export function canMisbehave(client: ClientName, fault: Fault): boolean {
  // The refusal of the second try would count.
  if (isUnseen(client) && fault === "acts, then declines") return false;
  const misbehaviour: Misbehaviour = misbehaviours[fault];
  return misbehaviour.isHttpAlone !== true || !isMailClient(client);
}

/** Whether a call that met this move has proved that nothing happened. */
export function isProof(move: Move): boolean {
  const misbehaviour: Misbehaviour | undefined = move === "answers" ? undefined : misbehaviours[move];
  return misbehaviour?.proves === true;
}

/** Whether the downstream acts while its client waits. */
export function actsFirst(move: Move): boolean {
  return move === "answers" || misbehaviours[move].acts === "first";
}

/** How long a client waits for an answer, in milliseconds. */
export const CLIENT_WAITS_MS = 500;

/** What an effect sends. The downstream recognises what one call of the effect sends again, by its fence. */
export interface Order {
  readonly key: string;
  readonly fence: number;
  /** The job's idempotency key. */
  readonly job: string;
  readonly life: string;
}

/** Asks for a target of one call's own. @returns its port */
export interface Opening {
  readonly kind: "http" | "mail";
  readonly move: Move;
}

/** What the downstream has seen so far. */
export interface Tally {
  /** Acts that are still to come. */
  readonly pending: number;
  /** Orders that were sent again within one call. */
  readonly sentAgain: number;
}

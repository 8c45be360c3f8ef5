/** How the call that acts leaves the effect, and what it reaches. */
export const ways = {
  fetch: "http",
  "fetch, in another context": "http",
  "undici pool": "http",
  "node:http agent": "http",
  "HTTP/2 session": "http2",
  nodemailer: "mail",
  UDP: "udp",
  "child process": "http",
  "worker thread": "http",
} as const;
export type Way = keyof typeof ways;
export const wayNames = Object.keys(ways) as readonly Way[];

/** What they send in another context is not seen as the effect's, so the other call reaches the same server. */
export const unseenWays: ReadonlySet<Way> = new Set<Way>(["fetch, in another context", "undici pool"]);

/** When the other call is made and refused: once the first was answered, while it is under way, or before it. */
export const orders = ["before", "beside", "after"] as const;
export type Order = (typeof orders)[number];

/** How the other call is refused. */
export const refusals = ["no connection", "402"] as const;

import { z } from "zod";

/** How many things that an effect sends are recorded. */
export const OUTGOING_MAX = 20;

/** One request or connection of an effect, as its process saw it. Never a header, a body, a query or a credential. */
export const outgoingSchema = z.object({
  at: z.iso.datetime().meta({ description: "When it began." }),
  protocol: z.enum(["http", "https", "tcp", "tls", "unix"]),
  host: z.string().meta({ description: "Host and port, or the path of a socket." }),
  method: z.string().nullable().meta({ description: "Null unless it is HTTP." }),
  path: z.string().nullable().meta({ description: "Without the query; null unless it is HTTP." }),
  sent: z.enum(["part", "all"]).nullable().meta({
    description: "How much was sent; null: nothing. All of a connection that is not HTTP cannot be known.",
  }),
  status: z.int().nullable().meta({ description: "Of the HTTP answer." }),
  ended: z
    .string()
    .nullable()
    .meta({ description: "How it ended: `answered`, `closed`, or an error's code; null while it had not." }),
  afterMs: z.int().nullable().meta({ description: "Milliseconds from its beginning to that end." }),
});

/** One request or connection of an effect, as its process saw it. */
export type Outgoing = Readonly<z.output<typeof outgoingSchema>>;

/** What one run of an effect was seen to send. What runs outside of its asynchronous context is not seen. */
export interface Seen {
  /** In the order in which they began; at most 20. */
  readonly outgoing: readonly Outgoing[];
  /** False where there were more than 20. */
  readonly isComplete: boolean;
}

/** @example "POST api.stripe.com:443/v1/charges: sent, ECONNRESET after 1.2 s" */
export function outgoingText({
  protocol,
  host,
  method,
  path,
  sent,
  status,
  ended,
  afterMs,
}: Outgoing): string {
  const target = method === null ? `${protocol} ${host}` : `${method} ${host}${path ?? ""}`;
  const how = [
    sentText(method, sent),
    ...(status === null ? [] : [`answered ${status}`]),
    endText(status, ended),
  ];
  const after = afterMs === null ? "" : ` after ${(afterMs / 1_000).toFixed(1)} s`;
  return `${target}: ${how.filter((text) => text !== "").join(", ")}${after}`;
}

function sentText(method: string | null, sent: Outgoing["sent"]): string {
  if (sent === null) return "nothing sent";
  return method === null || sent === "all" ? "sent" : "sent in part";
}

function endText(status: number | null, ended: string | null): string {
  if (ended === null) return status === null ? "no answer" : "";
  return ended === "answered" ? "" : ended;
}

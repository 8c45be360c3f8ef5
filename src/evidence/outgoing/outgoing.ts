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
  sent: z.enum(["part", "all", "not seen"]).nullable().meta({
    description:
      "How much was sent; null: nothing, e.g. because no connection was open. `not seen` where one was, or may have been, e.g. over HTTP/2. All of a connection that is not HTTP cannot be known.",
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

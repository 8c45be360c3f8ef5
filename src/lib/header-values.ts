import type { IncomingMessage } from "node:http";

/**
 * What a header was sent with, once for each time it was sent, in order.
 *
 * Node's `headersDistinct` tells the same, and builds lists of all headers for it: that showed in profiles.
 *
 * @param name in lower case
 */
export function headerValues({ rawHeaders }: Pick<IncomingMessage, "rawHeaders">, name: string): string[] {
  const values: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const sent = rawHeaders[at] ?? "";
    if (sent.length === name.length && sent.toLowerCase() === name) values.push(rawHeaders[at + 1] ?? "");
  }
  return values;
}

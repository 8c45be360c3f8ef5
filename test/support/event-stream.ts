import { once } from "node:events";
import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import type { JobStatus } from "holdfast";
import { onTestFinished } from "./test-scope.ts";

export interface StatusEvent {
  readonly id: string;
  readonly event: string;
  readonly data: JobStatus;
}

/** A client of an event stream. */
export interface StreamClient {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The events so far. */
  readonly events: readonly StatusEvent[];
  readonly comments: readonly string[];
  /** The states in order. */
  readonly states: readonly string[];
  /** Resolves when the stream has ended, on either side. */
  readonly ended: Promise<unknown>;
  /** Hangs up. */
  close(): void;
}

/** Opens a stream on a new connection, closed when the test ends. */
export async function openStream(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<StreamClient> {
  const asked = request(url, { agent: false, headers: { accept: "text/event-stream", ...headers } });
  onTestFinished(() => void asked.destroy());
  asked.end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  return readStream(asked, response);
}

function readStream(asked: ClientRequest, response: IncomingMessage): StreamClient {
  const events: StatusEvent[] = [];
  const comments: string[] = [];
  let unread = "";
  response.setEncoding("utf8").on("data", (chunk: string) => {
    const blocks = (unread + chunk).split("\n\n");
    unread = blocks.pop() ?? "";
    for (const block of blocks) {
      if (block.startsWith(": ")) comments.push(block.slice(2));
      else if (block.includes("data: ")) events.push(parseEvent(block));
    }
  });
  response.on("error", () => {}); // a broken stream has ended, too
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    events,
    comments,
    get states() {
      return events.map(({ data }) => data.state);
    },
    ended: new Promise((resolve) => response.once("close", resolve)),
    close: () => void asked.destroy(),
  };
}

function parseEvent(block: string): StatusEvent {
  const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: (.*)/, 2)));
  return { id: fields.id, event: fields.event, data: JSON.parse(fields.data) };
}

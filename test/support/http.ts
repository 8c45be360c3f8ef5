import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed if it is JSON. Most have an id; a test states what else it expects. */
  readonly body: { readonly id: string; readonly [member: string]: unknown };
}

/** One exchange of JSON. A text or byte body is sent as it is. */
export async function call(
  url: string,
  method: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
    body: typeof body === "string" || body instanceof Uint8Array ? body : (JSON.stringify(body) ?? null),
  });
  const received = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") === true;
  return {
    status: response.status,
    headers: response.headers,
    body: isJson ? JSON.parse(received) : { id: "", text: received },
  };
}

export const get = (url: string) => call(url, "GET");
export const post = (url: string, body: unknown, headers?: Readonly<Record<string, string>>) =>
  call(url, "POST", body, headers);

/** Sends raw bytes; resolves to everything that comes back until the server hangs up. */
export async function sendRaw(url: string, request: string | Buffer): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  socket.write(request);
  return text(socket);
}

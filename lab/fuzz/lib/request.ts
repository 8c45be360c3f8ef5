/** A request to the API, byte for byte. */
export interface RequestParts {
  readonly method?: string;
  readonly path?: string;
  /** In this order, after `Host` and `Connection: close`. Values are Latin-1. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: string | Buffer;
}

/** Valid HTTP, whatever its parts contain. */
export function request({ method = "POST", path = "/jobs", headers = [], body }: RequestParts): Buffer {
  const bytes = body === undefined ? undefined : Buffer.from(body);
  const lines = [
    `${method} ${path} HTTP/1.1`,
    "Host: localhost",
    "Connection: close",
    ...headers.map(([name, value]) => `${name}: ${value}`),
    ...(bytes === undefined ? [] : [`Content-Length: ${bytes.length}`]),
  ];
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), bytes ?? Buffer.alloc(0)]);
}

export const JSON_TYPE = ["Content-Type", "application/json"] as const;

/** `POST /jobs` with a JSON body, valid or not. */
export function submission(body: string | Buffer, path = "/jobs"): Buffer {
  return request({ path, headers: [JSON_TYPE], body });
}

/** Readable, so that a person can send it again. */
export function shown(bytes: Buffer): string {
  const text = JSON.stringify(bytes.toString("latin1"));
  return text.length <= 600 ? text : `${text.slice(0, 600)}… (${bytes.length} bytes)`;
}

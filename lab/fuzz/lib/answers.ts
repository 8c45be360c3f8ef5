/** One answer on a connection. */
export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** The answers in what came on a connection, in order; the last may be cut off. */
export function answersIn(bytes: Buffer): Answer[] {
  return messagesIn(bytes).flatMap(({ status, contentType, body }) =>
    status >= 200 || status === 0 ? [{ status, contentType, body: body.toString("utf8") }] : [],
  );
}

/** Whether the last of them has come to its end. */
export function isWhole(bytes: Buffer): boolean {
  return messagesIn(bytes).every((message) => message.isWhole);
}

interface Message {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
  readonly isWhole: boolean;
}

/** Provisional answers (1xx) included. */
function messagesIn(bytes: Buffer): Message[] {
  const messages: Message[] = [];
  for (let rest = bytes; rest.length > 0; ) {
    const end = rest.indexOf("\r\n\r\n");
    const head = rest.subarray(0, end < 0 ? rest.length : end).toString("latin1");
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1] ?? 0);
    const [, contentType = ""] = /\r\ncontent-type: ([^\r\n]*)/i.exec(head) ?? [];
    const [, length] = /\r\ncontent-length: (\d+)/i.exec(head) ?? [];
    const from = end < 0 ? rest.length : end + 4;
    const until = length === undefined && status >= 200 ? rest.length : from + Number(length ?? 0);
    const body = rest.subarray(from, until);
    messages.push({
      status,
      contentType,
      body,
      isWhole: end >= 0 && until <= rest.length && isEnded(head, body),
    });
    rest = rest.subarray(until);
  }
  return messages;
}

/** A chunked body ends with an empty chunk. */
function isEnded(head: string, body: Buffer): boolean {
  return (
    !/\r\ntransfer-encoding: chunked/i.test(head) || body.subarray(-5).toString("latin1") === "0\r\n\r\n"
  );
}

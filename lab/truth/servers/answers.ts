import { createHash } from "node:crypto";
import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";

export interface GoodAnswer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: string;
}

const json = { "content-type": "application/json" };
const xml = { "content-type": "text/xml" };

/** What a downstream answers when all is well, as far as the library reads it. */
export function goodAnswer(library: string, body: string): GoodAnswer {
  const make = goodAnswers[library];
  return make === undefined ? jsonAnswer({ id: "order-1", state: "made" }) : make(body);
}

const goodAnswers: Record<string, (body: string) => GoodAnswer> = {
  stripe: () => jsonAnswer({ id: "ch_1", object: "charge", paid: true }),
  octokit: () => jsonAnswer({ id: 1, number: 1, title: "Coffee" }, 201),
  openai: () => jsonAnswer({ id: "resp_1", object: "response", output: [], status: "completed" }),
  anthropic: () => jsonAnswer({ id: "msg_1", type: "message", role: "assistant", content: [] }),
  "holdfast-client": () =>
    jsonAnswer({ id: "job-1", type: "order", idempotencyKey: "k", duplicate: false, statusUrl: "/" }, 202),
  "aws-s3": () => ({ status: 200, headers: { etag: '"coffee"' }, body: "" }),
  "aws-sqs": (body) => {
    const { MessageBody = "" } = JSON.parse(body) as { MessageBody?: string };
    const md5 = createHash("md5").update(MessageBody).digest("hex");
    const headers = { "content-type": "application/x-amz-json-1.0" };
    return { ...jsonAnswer({ MessageId: "message-1", MD5OfMessageBody: md5 }), headers };
  },
  "aws-ses": () => ({
    status: 200,
    headers: xml,
    body:
      '<SendEmailResponse xmlns="http://ses.amazonaws.com/doc/2010-12-01/"><SendEmailResult>' +
      "<MessageId>mail-1</MessageId></SendEmailResult></SendEmailResponse>",
  }),
};

function jsonAnswer(value: unknown, status = 200): GoodAnswer {
  return { status, headers: json, body: JSON.stringify(value) };
}

/** What it answers with an error's status. */
export function failedAnswer(
  library: string,
  status: number,
): { headers: OutgoingHttpHeaders; body: string } {
  const type = status < 500 ? "Sender" : "Receiver";
  if (library === "aws-ses")
    return {
      headers: xml,
      body: `<ErrorResponse><Error><Type>${type}</Type><Code>${awsCode(status)}</Code><Message>no</Message></Error></ErrorResponse>`,
    };
  if (library === "aws-s3")
    return {
      headers: { "content-type": "application/xml" },
      body: `<Error><Code>${awsCode(status)}</Code><Message>no</Message></Error>`,
    };
  if (library === "aws-sqs")
    return {
      headers: { "content-type": "application/x-amz-json-1.0" },
      body: JSON.stringify({ __type: `com.amazonaws.sqs#${awsCode(status)}`, message: "no" }),
    };
  if (library === "holdfast-client") return problem(status);
  const error = { message: "no", type: status < 500 ? "invalid_request_error" : "api_error" };
  return { headers: json, body: JSON.stringify({ type: "error", message: "no", error }) };
}

function awsCode(status: number): string {
  if (status === 429) return "ThrottlingException";
  if (status === 409) return "ConflictException";
  return status < 500 ? "InvalidParameterValue" : "InternalFailure";
}

function problem(status: number) {
  const codes: Record<number, string> = {
    404: "JOB_NOT_FOUND",
    429: "RATE_LIMITED",
    503: "STORE_UNAVAILABLE",
  };
  const code = codes[status] ?? (status < 500 ? "INVALID_REQUEST" : "INTERNAL");
  const body = JSON.stringify({ type: "about:blank", title: "no", status, detail: "no", code });
  return { headers: { "content-type": "application/problem+json" }, body };
}

/** By which key downstream recognises a repeated call; undefined if it looks at none. */
export function keyOf(library: string, request: IncomingMessage, body: string): string | undefined {
  if (library === "stripe") return request.headers["idempotency-key"] as string | undefined;
  if (library === "holdfast-client") return (JSON.parse(body) as { idempotencyKey?: string }).idempotencyKey;
  return undefined;
}

/** An answer of the API. */
export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Far more than any call that does not wait takes. */
const ANSWER_MAX_MS = 30_000;

/** One exchange of JSON. @throws if no answer comes in time */
export async function call(
  url: string,
  {
    body,
    headers = {},
  }: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Answer> {
  const response = await fetch(url, {
    signal: AbortSignal.timeout(ANSWER_MAX_MS),
    headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
    ...(body !== undefined && { method: "POST", body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Answer["body"] };
}

const STREAM_MAX_MS = 60_000;

/** The states from an event stream, one after another, until the API ends it or the caller returns. */
export async function* statesOf(url: string): AsyncGenerator<string> {
  const response = await fetch(url, {
    headers: { accept: "text/event-stream" },
    signal: AbortSignal.timeout(STREAM_MAX_MS),
  });
  if (response.status !== 200 || response.body === null)
    throw new Error(`the stream was answered ${response.status}`);
  let unread = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (unread + chunk).split("\n");
    unread = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith("data: "))
        yield (JSON.parse(line.slice("data: ".length)) as { state: string }).state;
    }
  }
}

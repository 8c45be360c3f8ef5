export interface ServerEvent {
  readonly id: string | undefined;
  readonly data: string;
}

/**
 * The events of a stream, without heartbeats.
 *
 * @param onRead called before and after each read
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  watch: { reading(): void; read(): void },
): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let unread = "";
  for (;;) {
    watch.reading();
    const { value, done } = await reader.read();
    watch.read();
    if (done) return;
    const blocks = (unread + decoder.decode(value, { stream: true })).split("\n\n");
    unread = blocks.pop() ?? "";
    yield* blocks.map(eventOf).filter((event) => event !== undefined);
  }
}

function eventOf(block: string): ServerEvent | undefined {
  const lines = block.split("\n");
  const valuesOf = (field: string) =>
    lines.filter((line) => line.startsWith(`${field}: `)).map((line) => line.slice(field.length + 2));
  const data = valuesOf("data");
  return data.length === 0 ? undefined : { id: valuesOf("id")[0], data: data.join("\n") };
}

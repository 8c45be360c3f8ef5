import { setTimeout as sleep } from "node:timers/promises";

/** Calls an API as its clients do, in its own process so that the laboratory's load does not show in the times. */

export interface Call {
  /** Method and path as in the API's reference, and any variation. */
  readonly name: string;
  readonly method: string;
  /** `KEY` in path or body becomes a new key each time. */
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: object;
  /** Milliseconds that the call asks the API to wait. */
  readonly waitMs?: number;
}

export interface Answer {
  readonly call: string;
  /** 0: none came within 10 s. */
  readonly status: number;
  /** Why none came. */
  readonly failure?: string;
  /** Until the answer came, or a stream began, minus `waitMs`. */
  readonly ms: number;
}

export interface Order {
  readonly url: string;
  readonly calls: readonly Call[];
  /** Each call is repeated for that long, at least once. */
  readonly forMs: number;
}

const GIVE_UP_MS = 10_000;
/** Between two calls of a kind: this measures latency, not throughput. */
const PAUSE_MS = 100;

let keys = 0;

process.on("disconnect", () => process.exit(1));
process.on("message", (order: Order) => {
  const answers = order.calls.map((call) => callFor(order, call));
  Promise.all(answers).then((all) => process.send?.(all.flat()));
});
process.send?.({ ready: true });

async function callFor({ url, forMs }: Order, call: Call): Promise<Answer[]> {
  const until = performance.now() + forMs;
  const answers: Answer[] = [];
  for (;;) {
    answers.push(await once(url, call));
    if (performance.now() >= until) return answers;
    await sleep(PAUSE_MS);
  }
}

async function once(url: string, call: Call): Promise<Answer> {
  keys += 1;
  const withKey = (text: string) => text.replaceAll("KEY", `call-${process.pid}-${keys}`);
  const body = call.body && withKey(JSON.stringify(call.body));
  const begun = performance.now();
  const outcome = await answerTo(url + withKey(call.path), call, body);
  const ms = performance.now() - begun;
  return { call: call.name, ...outcome, ms: Math.max(0, ms - (call.waitMs ?? 0)) };
}

async function answerTo(
  url: string,
  { method, headers }: Call,
  body: string | undefined,
): Promise<Pick<Answer, "status" | "failure">> {
  try {
    const response = await fetch(url, {
      method,
      // A kept connection may be closed by the API just when it is used again.
      headers: { Connection: "close", ...(body && { "Content-Type": "application/json" }), ...headers },
      ...(body && { body }),
      signal: AbortSignal.timeout(GIVE_UP_MS),
    });
    const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
    if (isStream) await response.body?.cancel();
    else await response.arrayBuffer();
    return { status: response.status };
  } catch (error) {
    const { cause = error } = error as Error;
    return { status: 0, failure: String(cause) };
  }
}

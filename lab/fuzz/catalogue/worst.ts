import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { ask } from "../lib/ask.ts";
import { JSON_TYPE, request, shown } from "../lib/request.ts";
import type { Service } from "../lib/service.ts";
import { type Finding, newTally, type Tally } from "../lib/tally.ts";
import { type Operation, readOperations } from "../schema/openapi.ts";

const GROUP = "a connection's worst";
/** What one connection may cost, at most. */
const MOST = { livenessMs: 500, grownMiB: 64, forgottenMs: 5_000 };
const LOOK_EVERY_MS = 25;

export interface WorstForm {
  /** How many requests a connection sends in one go. */
  readonly pipelined: number;
  /** How long it reads, and then for as long no more, before it resets. */
  readonly readMs: number;
}

/** Each route, thousands of times on one connection, which reads half and resets: how much memory, how long for others, who stays? */
export async function tryWorst(
  service: Service,
  { pipelined, readMs }: WorstForm,
  findings: Finding[],
): Promise<Tally[]> {
  const id = await submitLater(service.url);
  const tallies: Tally[] = [];
  // A process that has just started compiles what it runs.
  await tryOne(service, Buffer.alloc(200_000, keptOpen("GET", "/jobs")), readMs, newTally(GROUP, ""));
  for (const [kind, bytes] of worstRequests(await readOperations(service.url), id)) {
    const tally = newTally(GROUP, kind);
    tallies.push(tally);
    const found = await tryOne(service, Buffer.alloc(bytes.length * pipelined, bytes), readMs, tally);
    for (const what of found) findings.push({ kind, what, request: shown(bytes) });
  }
  return tallies;
}

/** @returns what it cost too much of */
async function tryOne(service: Service, bytes: Buffer, readMs: number, tally: Tally): Promise<string[]> {
  const { hostname, port } = new URL(service.url);
  const before = service.memory().now;
  let peak = before;
  let isOver = false;
  const watch = async () => {
    while (!isOver) {
      const waited = service.waitedMs();
      const { ms } = await ask(service.url, request({ method: "GET", path: "/health/live" }));
      tally.slowestMs = Math.max(tally.slowestMs, ms - (service.waitedMs() - waited));
      peak = Math.max(peak, service.memory().now);
      await pause(LOOK_EVERY_MS);
    }
  };
  const watching = watch();
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {}).on("data", () => {});
  socket.write(bytes);
  await pause(readMs);
  socket.pause();
  await pause(readMs);
  socket.resetAndDestroy();
  const leftMs = await untilForgotten(service.url);
  isOver = true;
  await watching;
  tally.tried += 1;
  const grownMiB = peak - before;
  tally.codes.set(`+${Math.max(0, Math.round(grownMiB))} MiB`, 1);
  return [
    ...(tally.slowestMs > MOST.livenessMs ? [`liveness took ${Math.round(tally.slowestMs)} ms`] : []),
    ...(grownMiB > MOST.grownMiB ? [`memory grew by ${Math.round(grownMiB)} MiB`] : []),
    ...(leftMs > MOST.forgottenMs ? ["it was still a subscriber after 5 s"] : []),
  ];
}

/** @returns how many milliseconds it took until the API had no subscriber */
async function untilForgotten(url: string): Promise<number> {
  const begunAt = performance.now();
  const elapsedMs = () => performance.now() - begunAt;
  while (elapsedMs() <= MOST.forgottenMs) {
    // It says nothing where the process is lost.
    const metrics = await fetch(`${url}/metrics`, { headers: { connection: "close" } })
      .then((answer) => answer.text())
      .catch(() => "");
    if (/^holdfast_subscribers 0$/m.test(metrics)) break;
    await pause(LOOK_EVERY_MS);
  }
  return elapsedMs();
}

/** A job that waits for a day, so that it can be watched. */
async function submitLater(url: string): Promise<string> {
  const body = { type: "anything", payload: 1, idempotencyKey: "worst", options: { delayMs: 86_400_000 } };
  const answer = await fetch(`${url}/jobs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return ((await answer.json()) as { readonly id: string }).id;
}

const UNDESCRIBED = ["/openapi.json", "/docs/", "/console/", "/session", "/nothing"];

function worstRequests(operations: readonly Operation[], id: string): [kind: string, bytes: Buffer][] {
  const described = operations.map(({ method, path, body }): [string, Buffer] => {
    // What changes something names nothing that is there.
    const filled = path
      .replace("{id}", method === "GET" ? id : "default_0197b3c2-7c1e-7d3a-9a54-0123456789ab")
      .replaceAll(/\{\w+\}/g, "absent");
    return [`${method} ${path}`, keptOpen(method, filled, body === undefined ? undefined : "{}")];
  });
  const status = `/jobs/${id}/status`;
  return [
    ...described,
    ...UNDESCRIBED.map((path): [string, Buffer] => [`GET ${path}`, keptOpen("GET", path)]),
    ["a stream of a job", keptOpen("GET", status, undefined, ["Accept", "text/event-stream"])],
    ["a stream of the overview", keptOpen("GET", "/overview", undefined, ["Accept", "text/event-stream"])],
    ["waiting for a job", keptOpen("GET", status, undefined, ["Prefer", "wait=60"])],
  ];
}

function keptOpen(
  method: string,
  path: string,
  body?: string,
  header?: readonly [name: string, value: string],
): Buffer {
  const headers = [...(body === undefined ? [] : [JSON_TYPE]), ...(header === undefined ? [] : [header])];
  const whole = request({ method, path, headers, ...(body !== undefined && { body }) });
  return Buffer.from(whole.toString("latin1").replace("Connection: close\r\n", ""), "latin1");
}

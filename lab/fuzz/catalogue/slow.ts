import { connect, type Socket } from "node:net";
import { ask } from "../lib/ask.ts";
import { exchange } from "../lib/exchange.ts";
import { judge } from "../lib/judge.ts";
import { JSON_TYPE, request, shown } from "../lib/request.ts";
import type { Service } from "../lib/service.ts";
import { count, type Finding, newTally, type Tally } from "../lib/tally.ts";

const GROUP = "slowness";
const BYTE_EVERY_MS = 300;
const LOOKS = 20;

const health = request({ method: "GET", path: "/health/live" });

/** Slow clients, all at once because each takes ten seconds. */
export async function trySlowness(service: Service, clients: number, findings: Finding[]): Promise<Tally[]> {
  const head = request({
    headers: [JSON_TYPE, ...Array.from({ length: 50 }, (_, at) => [`X-${at}`, "x"] as const)],
  });
  const body = Buffer.from(" ".repeat(200));
  const headFirst = request({ headers: [JSON_TYPE, ["Content-Length", "1000"]] });
  return await Promise.all([
    trickle(service, "headers, a byte at a time", clients, head, findings),
    trickle(service, "a body, a byte at a time", clients, body, findings, headFirst),
    trickle(service, "half a head, then silence", clients, Buffer.alloc(0), findings, head.subarray(0, 80)),
    trickle(service, "a head, then silence", clients, Buffer.alloc(0), findings, headFirst),
  ]);
}

async function trickle(
  service: Service,
  kind: string,
  clients: number,
  slowly: Buffer,
  findings: Finding[],
  atOnce: Buffer = Buffer.alloc(0),
): Promise<Tally> {
  const tally = newTally(GROUP, kind);
  const one = async () => {
    const manner = slowly.length > 0 ? { everyMs: BYTE_EVERY_MS, slowly } : {};
    const answer = await exchange(service.url, atOnce, manner);
    const verdict = judge(atOnce, answer, "refusal", true);
    count(tally, verdict, answer.ms);
    if (verdict.finding !== undefined) findings.push({ kind, what: verdict.finding, request: shown(atOnce) });
  };
  await Promise.all(Array.from({ length: clients }, one));
  return tally;
}

/** Opens idle connections, and checks that others are still answered. */
export async function tryIdling(service: Service, connections: number, findings: Finding[]): Promise<Tally> {
  const kind = `${connections} idle connections, and good requests meanwhile`;
  const tally = newTally(GROUP, kind);
  const idle = await openAll(service.url, connections);
  for (let look = 0; look < LOOKS; look += 1) {
    const answer = await ask(service.url, health);
    const verdict = judge(health, answer, "answer");
    count(tally, verdict, answer.ms);
    if (verdict.finding !== undefined) findings.push({ kind, what: verdict.finding, request: shown(health) });
  }
  for (const socket of idle) socket.destroy();
  return tally;
}

async function openAll(url: string, connections: number): Promise<readonly Socket[]> {
  const { hostname, port } = new URL(url);
  const opened = Array.from(
    { length: connections },
    () =>
      new Promise<Socket>((resolve) => {
        const socket = connect(Number(port), hostname, () => resolve(socket));
        socket.on("error", () => resolve(socket)); // closed to make room, or too many for this machine
      }),
  );
  return await Promise.all(opened);
}

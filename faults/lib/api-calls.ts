import { once } from "node:events";
import { join } from "node:path";
import type { Bench } from "./bench.ts";
import type { Answer, Call, Order } from "./inside/caller.ts";
import { endProcess, readiness, startProcess } from "./processes.ts";
import { until } from "./waiting.ts";

/** Everything that the API can be asked, asked all at once. */
export interface ApiCaller {
  /** Makes each call again and again for so long, and at least once. */
  callAll(forMs: number): Promise<Answer[]>;
  /** Makes each call that is answered at once. @returns those that are not answered as they were at the start */
  unusual(): Promise<Answer[]>;
  stop(): Promise<void>;
}

/** What the calls that change something say. A route that takes a body and is not listed here cannot be called. */
const submission = { type: "act", payload: { beforeMs: 0, afterMs: 0 }, idempotencyKey: "KEY" };
const bodies: Record<string, object> = {
  "POST /jobs": submission,
  "POST /jobs/batch": { jobs: [submission, { ...submission, idempotencyKey: "KEY-2" }] },
  // None matches: what the store is asked for is the same.
  "POST /failures/retry": { type: "tick", before: "2020-01-01T00:00:00Z" },
  "POST /jobs/{id}/effects/{name}/resolve": { as: "done", evidence: "The laboratory's" },
  "POST /store/accept-loss": { evidence: "Nothing is lost" },
};

/**
 * Learns from the API's own reference what it can be asked, so that no route is forgotten.
 *
 * @throws Error when it has a route that the laboratory does not know how to call, or that cannot be called now
 */
export async function openApiCaller({ api, directory, installation }: Bench): Promise<ApiCaller> {
  const { url = "" } = (await api?.ready()) ?? {};
  const [ended, delayed] = await Promise.all([submit(url, {}), submit(url, { delayMs: 3_600_000 })]);
  await (await fetch(`${url}/jobs/${ended}/status`, { headers: { Prefer: "wait=10" } })).arrayBuffer();
  const calls = [...(await plainCalls(url, ended)), ...followingCalls(delayed)];
  const child = startProcess(installation.script("caller"), {}, join(directory, "logs/caller.log"));
  await readiness(child);
  const carryOut = async (order: Order) => {
    child.send(order);
    const [answers] = await once(child, "message");
    return answers as Answer[];
  };
  const callAll = (forMs: number) => carryOut({ url, calls, forMs });
  const usual = await answersInPeace(callAll);
  return {
    callAll,
    async unusual() {
      const quick = calls.filter(({ waitMs }) => waitMs === undefined);
      const answers = await carryOut({ url, calls: quick, forMs: 0 });
      return answers.filter((now) =>
        usual.some(({ call, status }) => call === now.call && status !== now.status),
      );
    },
    stop: () => endProcess(child, "SIGKILL"),
  };
}

/** On a machine that is busy, e.g. with starting all this, an answer can take too long by itself. */
async function answersInPeace(callAll: ApiCaller["callAll"]): Promise<Answer[]> {
  let failed: Answer[] = [];
  const usual = await until(
    async () => {
      const answers = await callAll(0);
      failed = answers.filter(({ status }) => status === 0 || status >= 500 || status === 400);
      return failed.length === 0 && answers;
    },
    { withinMs: 10_000 },
  );
  if (usual === undefined) throw new Error(`Cannot be called: ${JSON.stringify(failed)}`);
  return usual;
}

interface Reference {
  readonly paths: Record<string, Record<string, { requestBody?: object }>>;
}

async function plainCalls(url: string, id: string): Promise<Call[]> {
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as Reference;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { requestBody }]) => ({ path, method, requestBody })),
  );
  return operations.map(({ path, method, requestBody }) => {
    const name = `${method.toUpperCase()} ${path}`;
    const body = bodies[name];
    if (requestBody !== undefined && body === undefined) throw new Error(`What to say to ${name}?`);
    const place = path.startsWith("/schedules") ? "each-second" : "tell";
    const filled = path
      .replace("{id}", id)
      .replace("{name}", place)
      .replace("{at}", new Date().toISOString());
    return { name, method: method.toUpperCase(), path: filled, ...(body && { body }) };
  });
}

/** The other ways to ask for what changes. */
function followingCalls(id: string): Call[] {
  const stream = { Accept: "text/event-stream" };
  const status = { method: "GET", path: `/jobs/${id}/status` };
  return [
    { ...status, name: "GET /jobs/{id}/status, waiting", headers: { Prefer: "wait=1" }, waitMs: 1_000 },
    { ...status, name: "GET /jobs/{id}/status, as a stream", headers: stream },
    { name: "GET /overview, as a stream", method: "GET", path: "/overview", headers: stream },
  ];
}

async function submit(url: string, options: object): Promise<string> {
  const response = await fetch(`${url}/jobs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...submission, idempotencyKey: `first ${JSON.stringify(options)}`, options }),
  });
  const { id } = (await response.json()) as { id?: string };
  if (id === undefined) throw new Error(`The API took no job: ${response.status}`);
  return id;
}

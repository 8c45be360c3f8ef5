import { once } from "node:events";
import { join } from "node:path";
import { endChild } from "../../../test/support/command.ts";
import { until } from "../../lib/waiting.ts";
import type { Answer, Call, Order } from "./inside/caller.ts";
import { readiness, startProcess } from "./processes.ts";
import type { Testbed } from "./testbed.ts";

/** Calls every route of the API, all at once. */
export interface ApiCaller {
  /** Repeats each call for `forMs`, at least once. */
  callAll(forMs: number): Promise<Answer[]>;
  /** Makes each call that does not wait, or only `those`. @returns answers whose status differs from the usual one */
  unusual(those?: readonly string[]): Promise<Answer[]>;
  stop(): Promise<void>;
}

/** Bodies by route. A route with a body must be listed here. */
const submission = { type: "act", payload: { beforeMs: 0, afterMs: 0 }, idempotencyKey: "KEY" };
/** No run that was reserved. */
const RUN = { key: "KEY", fence: 1 };
const bodies: Record<string, object> = {
  "POST /jobs": submission,
  "POST /jobs/batch": { jobs: [submission, { ...submission, idempotencyKey: "KEY-2" }] },
  "POST /flows": {
    parent: { ...submission, idempotencyKey: "KEY-FLOW" },
    children: [{ type: submission.type, payload: submission.payload }],
  },
  // Matches no job; the work for Redis is the same.
  "POST /jobs/acts": { act: "retry", filter: { type: "tick", to: "2020-01-01T00:00:00Z" }, dryRun: true },
  "POST /jobs/{id}/retry": { reason: "The fault laboratory's" },
  "POST /jobs/{id}/cancel": { reason: "The fault laboratory's" },
  "POST /jobs/{id}/again": { idempotencyKey: "again", reason: "The fault laboratory's" },
  // Matches none; the work for Redis is the same.
  "POST /doubts/probe": { filter: { type: "tick" }, dryRun: true },
  "POST /doubts/resolve": { filter: { type: "tick" }, as: "done", evidence: "none", dryRun: true },
  "POST /jobs/{id}/effects/{name}/resolve": { as: "done", evidence: "The fault laboratory's" },
  "POST /effects/{name}/reserve": {
    key: "KEY",
    reservationId: "2f1f6f0e-0b3f-4f5e-9d3c-6f1f0f7f4c11",
    timeoutMs: 60_000,
    downstreamRemembersMs: 86_400_000,
  },
  "POST /effects/{name}/commit": RUN,
  "POST /effects/{name}/release": RUN,
  "POST /effects/{name}/doubt": { ...RUN, reason: "The fault laboratory's" },
  "POST /store/accept-loss": { evidence: "Nothing is lost" },
  "POST /queues/{name}/pause": { reason: "The fault laboratory's" },
  "POST /queues/{name}/resume": {},
  "PUT /queues/{name}/limits": { concurrency: 10_000 },
  "POST /workers/{name}/quiet": { reason: "The fault laboratory's" },
  "POST /workers/{name}/wake": {},
  "POST /notices/test": {},
  "POST /schedules/{name}/resume": {},
  "POST /schedules/{name}/skip": { at: "2026-01-01T00:00:00Z", reason: "The fault laboratory's" },
  "POST /schedules/{name}/pause": { reason: "The fault laboratory's" },
  "PUT /schedules/{name}": { cron: "0 0 29 2 *", timeZone: "UTC", type: "tick", payload: { at: "never" } },
};

/** What `{name}` is in a path. Nothing is really paused or quiet: the experiment's jobs and ticks must run. */
function nameIn(method: string, path: string): string {
  if (path === "/schedules/{name}") return method === "put" ? "leap-day" : "absent";
  if (path.endsWith("/pause") || path.endsWith("/skip") || path.startsWith("/workers")) return "absent";
  if (path.startsWith("/queues")) return "default";
  return path.startsWith("/schedules") ? "each-second" : "notify";
}

/**
 * Reads the routes from the API's own reference, so that none is forgotten.
 *
 * @throws Error for a route without a known body, or one that cannot be called now
 */
export async function openApiCaller({ api, directory, installation }: Testbed): Promise<ApiCaller> {
  const { url = "" } = (await api?.ready()) ?? {};
  const [ended, delayed] = await Promise.all([submit(url, {}), submit(url, { delayMs: 3_600_000 })]);
  await (await fetch(`${url}/jobs/${ended}/status`, { headers: { Prefer: "wait=10" } })).arrayBuffer();
  const calls = [...(await plainCalls(url, ended, delayed)), ...waitingCalls(delayed)];
  const child = startProcess(installation.script("caller"), {}, join(directory, "logs/caller.log"));
  await readiness(child);
  const carryOut = async (order: Order) => {
    child.send(order);
    const [answers] = await once(child, "message");
    return answers as Answer[];
  };
  const callAll = (forMs: number) => carryOut({ url, calls, forMs });
  const usual = await usualAnswers(callAll);
  return {
    callAll,
    async unusual(those) {
      const quick = calls.filter(
        ({ name, waitMs }) => waitMs === undefined && (those === undefined || those.includes(name)),
      );
      const answers = await carryOut({ url, calls: quick, forMs: 0 });
      return answers.filter((now) =>
        usual.some(({ call, status }) => call === now.call && status !== now.status),
      );
    },
    stop: () => endChild(child, "SIGKILL"),
  };
}

const USUAL_WITHIN_MS = 60_000;

/** What two rounds in a row have answered: the first creates what the others find. A busy machine can be too slow at first. */
async function usualAnswers(callAll: ApiCaller["callAll"]): Promise<Answer[]> {
  let before: readonly Answer[] = [];
  let unfit: Answer[] = [];
  const usual = await until(
    async () => {
      const answers = await callAll(0);
      const isFit = ({ call, status }: Answer) =>
        status > 0 &&
        status < 500 &&
        status !== 400 &&
        before.some((one) => one.call === call && one.status === status);
      unfit = answers.filter((answer) => !isFit(answer));
      before = answers;
      return unfit.length === 0 && answers;
    },
    { withinMs: USUAL_WITHIN_MS },
  );
  if (usual === undefined)
    throw new Error(`These calls fail, or are answered otherwise each time: ${JSON.stringify(unfit)}`);
  return usual;
}

interface Reference {
  readonly paths: Record<string, Record<string, { requestBody?: object }>>;
}

/** @param kept a job that cannot be deleted: it has not ended */
async function plainCalls(url: string, id: string, kept: string): Promise<Call[]> {
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as Reference;
  // The outbox is in a database, which has experiment 44.
  const inRedis = Object.entries(paths).filter(([path]) => !path.startsWith("/outbox"));
  const operations = inRedis.flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { requestBody }]) => ({ path, method, requestBody })),
  );
  return operations.map(({ path, method, requestBody }) => {
    const name = `${method.toUpperCase()} ${path}`;
    const body = bodies[name];
    if (requestBody !== undefined && body === undefined) throw new Error(`Add a body for ${name} here`);
    const filled = path
      .replace("{id}", method === "delete" ? kept : id)
      .replace("{name}", nameIn(method, path))
      .replace("{at}", new Date().toISOString())
      // A file of many pages takes as long as its pages; each of them must come in time.
      .replace("/jobs/export", "/jobs/export?idempotencyKey=KEY")
      .replace("/audit/export", "/audit/export?from=1min");
    return { name, method: method.toUpperCase(), path: filled, ...(body && { body }) };
  });
}

/** The other ways to wait for changes. */
function waitingCalls(id: string): Call[] {
  const stream = { Accept: "text/event-stream" };
  const status = { method: "GET", path: `/jobs/${id}/status` };
  return [
    { ...status, name: "GET /jobs/{id}/status, waiting", headers: { Prefer: "wait=1" }, waitMs: 1_000 },
    { ...status, name: "GET /jobs/{id}/status, as a stream", headers: stream },
    { name: "GET /overview, as a stream", method: "GET", path: "/overview", headers: stream },
  ];
}

async function submit(url: string, options: object): Promise<string> {
  let status = 0;
  const submitOnce = async () => {
    const response = await fetch(`${url}/jobs`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...submission, idempotencyKey: `first ${JSON.stringify(options)}`, options }),
    });
    status = response.status;
    return ((await response.json()) as { id?: string }).id;
  };
  const id = await until(submitOnce, { withinMs: USUAL_WITHIN_MS });
  if (id === undefined) throw new Error(`The API accepted no job: ${status}`);
  return id;
}

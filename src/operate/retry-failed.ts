import { parseFailure } from "../contract/failure.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import type { StoreClient } from "../store/client.ts";
import { queueKey } from "../store/keys.ts";
import type { OperatedQueues } from "./operated-queue.ts";

/** Which failed jobs to retry. */
export interface FailedQuery {
  readonly type?: string | undefined;
  /** Why they failed, e.g. `HANDLER_FAILED`. */
  readonly code?: string | undefined;
  /** Only those that failed until then, in milliseconds since 1970: what fails again is not retried for ever. */
  readonly before: number;
  /** How many at most. */
  readonly limit: number;
  /** Where an earlier call ended. */
  readonly cursor?: string | undefined;
}

export interface RetriedFailed {
  readonly retried: number;
  /** Those that had moved on, or gone, by then. */
  readonly skipped: number;
  /** Null when none are left. */
  readonly nextCursor: string | null;
}

/** A place in the lists of failed jobs: how many of a queue's were passed over. */
interface Place {
  readonly queue: number;
  readonly offset: number;
}

const SLICE = 500;
/** One call must not take for ever where few match. */
const SCANNED_MAX = 20_000;
const AT_A_TIME = 20;
/** Nor longer than somebody waits: it then answers with how far it got. */
const ENOUGH_MS = 1_000;

/** Retries failed jobs, those that failed first first. */
export async function retryFailed(
  client: StoreClient,
  prefix: string,
  queues: OperatedQueues,
  query: FailedQuery,
): Promise<RetriedFailed> {
  let place: Place | undefined =
    query.cursor === undefined ? { queue: 0, offset: 0 } : parseCursor(query.cursor, queues.names.length);
  let [retried, skipped, scanned] = [0, 0, 0];
  const enoughAt = performance.now() + ENOUGH_MS;
  const isEnough = () => retried >= query.limit || scanned >= SCANNED_MAX || performance.now() > enoughAt;
  while (place !== undefined && !isEnough()) {
    const name: string = queues.names[place.queue] ?? "";
    const ids: string[] = await client.zrangebyscore(
      queueKey(prefix, name, "failed"),
      "-inf",
      query.before,
      "LIMIT",
      place.offset,
      SLICE,
    );
    scanned += ids.length;
    const matching = await matchingOf(client, prefix, name, ids, query);
    const wanted = matching.slice(0, query.limit - retried);
    const outcomes = await retryAll(queues, name, wanted);
    const succeeded = outcomes.filter((outcome) => outcome === "retried").length;
    retried += succeeded;
    skipped += wanted.length - succeeded;
    if (wanted.length < matching.length) {
      // Up to the last one that was retried, less those: they have left the list.
      const passed: number = ids.indexOf(wanted.at(-1) ?? "") + 1 - wanted.length;
      place = { ...place, offset: place.offset + passed };
    } else if (ids.length < SLICE) place = placeAfter(place, queues.names.length);
    else place = { ...place, offset: place.offset + ids.length - wanted.length };
  }
  return { retried, skipped, nextCursor: place === undefined ? null : formatCursor(place) };
}

async function matchingOf(
  client: StoreClient,
  prefix: string,
  queue: string,
  ids: readonly string[],
  { type, code }: FailedQuery,
): Promise<string[]> {
  const jobs = await Promise.all(
    ids.map((id) => client.hmget(queueKey(prefix, queue, id), "name", "failedReason")),
  );
  return ids.filter((_, index) => {
    const [name, reason] = jobs[index] ?? [];
    return (
      (type === undefined || name === type) &&
      (code === undefined || parseFailure(reason ?? "").code === code)
    );
  });
}

async function retryAll(queues: OperatedQueues, name: string, ids: readonly string[]): Promise<string[]> {
  const queue = queues.get(name);
  const outcomes: string[] = [];
  for (let at = 0; at < ids.length; at += AT_A_TIME) {
    const some = ids.slice(at, at + AT_A_TIME);
    outcomes.push(...(await Promise.all(some.map((id) => queue.retry(id)))));
  }
  return outcomes;
}

function placeAfter({ queue }: Place, count: number): Place | undefined {
  return queue + 1 < count ? { queue: queue + 1, offset: 0 } : undefined;
}

function formatCursor({ queue, offset }: Place): string {
  return `${queue}.${offset}`;
}

function parseCursor(text: string, count: number): Place {
  const [, queue, offset] = /^(\d{1,4})\.(\d{1,9})$/.exec(text) ?? [];
  if (queue !== undefined && Number(queue) < count) return { queue: Number(queue), offset: Number(offset) };
  const offences = [{ pointer: "/cursor", message: "expected the nextCursor of an earlier answer" }];
  throw new HoldfastError("INVALID_REQUEST", "The cursor is not valid", { offences });
}

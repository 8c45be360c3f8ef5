import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { JobContract, JobStatus, Producer, Receipt } from "holdfast";
import { openDurableList } from "./inside/durable-list.ts";
import type { Library } from "./installation.ts";

/** A job that was acknowledged, after however many tries. */
export interface Acknowledged {
  readonly key: string;
  readonly id: string;
  /** The answer said so. */
  readonly isDuplicate: boolean;
  /** It had been accepted by a try that got no answer. */
  readonly isRecovered: boolean;
  readonly at: number;
}

/** One try to submit. Throws where the outcome is unknown. */
export type Door = (submission: Submission) => Promise<Pick<Receipt, "id" | "duplicate">>;

export interface Submission {
  readonly type: "act" | "late" | "refused" | "probed" | "bystander" | "deadly" | "blocking" | "odd";
  readonly idempotencyKey: string;
  readonly payload: object;
}

/** Submits with retries, and keeps its own list of what was acknowledged, on the disk before it counts. */
export interface Client {
  /** @returns undefined when no answer came within the bounds */
  submit(submission: Submission, door?: Door): Promise<Acknowledged | undefined>;
  readonly acknowledged: readonly Acknowledged[];
  /** Tries that ended without an answer. */
  readonly unanswered: number;
  /** Asks again while the store is away. */
  status(id: string): Promise<JobStatus | undefined>;
  close(): Promise<void>;
}

const RETRY_MS = 100;
const GIVE_UP_MS = 60_000;

export async function openClient(
  directory: string,
  env: NodeJS.ProcessEnv,
  library: Library,
): Promise<Client> {
  const list = await openDurableList(join(directory, "acknowledged.ndjson"));
  const producer = await library.createProducer(library.application, env);
  const ownDoor = libraryDoor(producer, library);
  const acknowledged: Acknowledged[] = [];
  let unanswered = 0;

  return {
    acknowledged,
    get unanswered() {
      return unanswered;
    },
    async submit(submission, door = ownDoor) {
      const giveUpAt = performance.now() + GIVE_UP_MS;
      for (let isFirst = true; performance.now() < giveUpAt; isFirst = false) {
        try {
          const { id, duplicate } = await door(submission);
          const line = {
            key: submission.idempotencyKey,
            id,
            isDuplicate: duplicate,
            isRecovered: duplicate && !isFirst,
            at: Date.now(),
          };
          await list.append(line);
          acknowledged.push(line);
          return line;
        } catch (error) {
          if (isRefusal(error)) throw error;
          unanswered += 1;
          await sleep(RETRY_MS);
        }
      }
      return undefined;
    },
    async status(id) {
      const giveUpAt = performance.now() + GIVE_UP_MS;
      for (;;) {
        try {
          return await producer.status(id);
        } catch (error) {
          if (performance.now() > giveUpAt) throw error;
          await sleep(RETRY_MS);
        }
      }
    },
    async close() {
      await producer.stop();
      await list.close();
    },
  };
}

/** The door of a producer in this process. */
export function libraryDoor(producer: Producer, { application }: Library): Door {
  return ({ type, payload, idempotencyKey }) => {
    const contract: JobContract | undefined = application.jobs.get(type);
    if (contract === undefined) throw new Error(`There is no job ${type}`);
    return producer.submit(contract, payload, { idempotencyKey });
  };
}

/** The error is of the copy's own class, so it is told by its shape. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && "retryable" in error && error.retryable === false;
}

/** The door of the API. @param url of the API that runs now */
export function apiDoor(url: () => Promise<string>): Door {
  return async (submission) => {
    const response = await fetch(`${await url()}/jobs`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(submission),
      signal: AbortSignal.timeout(5_000),
    });
    const answer = (await response.json()) as Receipt & { code?: string };
    if (response.ok) return answer;
    throw new Error(`answered ${response.status} ${answer.code}`);
  };
}

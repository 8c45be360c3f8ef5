import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { JobContract, JobStatus, Producer, Receipt } from "holdfast";
import { openDurableList } from "./inside/durable-list.ts";
import type { Library } from "./installation.ts";

/** An acknowledged job, after any number of tries. */
export interface Acknowledged {
  readonly key: string;
  readonly id: string;
  /** The answer said so. */
  readonly isDuplicate: boolean;
  /** A try without an answer had been accepted. */
  readonly isRecovered: boolean;
  /** When the answered try began. */
  readonly triedAt: number;
  readonly at: number;
}

/** Tries once to submit. Throws if the outcome is unknown. */
export type Submitter = (submission: Submission) => Promise<Pick<Receipt, "id" | "duplicate">>;

export interface Submission {
  readonly type:
    | "act"
    | "bystander"
    | "poison"
    | "blocking"
    | "blocking-once"
    | "odd"
    | "call"
    | "cards"
    | "declined"
    | "sized"
    | "single"
    | "rated"
    | "triple"
    | "invoice";
  readonly idempotencyKey: string;
  readonly payload: object;
}

/** Submits with retries, and records each acknowledgement on disk before it counts. */
export interface Client {
  /** @returns undefined if no answer came in time */
  submit(submission: Submission, submitter?: Submitter): Promise<Acknowledged | undefined>;
  readonly acknowledged: readonly Acknowledged[];
  /** Ids of parents of flows, whose only child is an acknowledged job each. */
  readonly parents: readonly string[];
  /** Tries without an answer. */
  readonly unanswered: number;
  /** Why the latest submission that failed did. */
  readonly lastFault: unknown;
  /** Retries while Redis is down. */
  status(id: string): Promise<JobStatus | undefined>;
  close(): Promise<void>;
}

const RETRY_MS = 100;
const GIVE_UP_MS = 60_000;

export async function openClient(
  directory: string,
  env: NodeJS.ProcessEnv,
  library: Library,
  hasFlowControl = false,
): Promise<Client> {
  const list = await openDurableList(join(directory, "acknowledged.ndjson"));
  const producer = await library.createProducer(library.application, env);
  const flows = hasFlowControl ? openFlowSubmitter(producer, library) : undefined;
  const ownSubmitter = flows?.submit ?? librarySubmitter(producer, library);
  const acknowledged: Acknowledged[] = [];
  let unanswered = 0;
  let lastFault: unknown;

  return {
    acknowledged,
    parents: flows?.parents ?? [],
    get unanswered() {
      return unanswered;
    },
    get lastFault() {
      return lastFault;
    },
    async submit(submission, submitter = ownSubmitter) {
      const giveUpAt = performance.now() + GIVE_UP_MS;
      for (let isFirst = true; performance.now() < giveUpAt; isFirst = false) {
        try {
          const triedAt = Date.now();
          const { id, duplicate } = await submitter(submission);
          const line = {
            key: submission.idempotencyKey,
            id,
            isDuplicate: duplicate,
            isRecovered: duplicate && !isFirst,
            triedAt,
            at: Date.now(),
          };
          await list.append(line);
          acknowledged.push(line);
          return line;
        } catch (error) {
          lastFault = error;
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

/** Submits through a producer in this process. */
export function librarySubmitter(producer: Producer, { application }: Library): Submitter {
  return ({ type, payload, idempotencyKey }) => {
    const contract: JobContract | undefined = application.jobs.get(type);
    if (contract === undefined) throw new Error(`There is no job ${type}`);
    return producer.submit(contract, payload, { idempotencyKey });
  };
}

/** Submits each second job of type `act` as the child of a flow. */
function openFlowSubmitter(producer: Producer, library: Library) {
  const submitAlone = librarySubmitter(producer, library);
  const { jobs } = library.application;
  const parents: string[] = [];
  let turn = 0;
  const submit: Submitter = async (submission) => {
    const job: JobContract | undefined = jobs.get(submission.type);
    const gather: JobContract | undefined = jobs.get("gather");
    turn += 1;
    if (submission.type !== "act" || job === undefined || gather === undefined || turn % 2 === 0)
      return await submitAlone(submission);
    const { payload, idempotencyKey } = submission;
    const parent = await producer.submitFlow({
      parent: { job: gather, payload: {}, idempotencyKey },
      children: [{ job, payload, idempotencyKey }],
    });
    if (!parents.includes(parent.id)) parents.push(parent.id);
    const { id } = await submitAlone(submission);
    return { id, duplicate: parent.duplicate };
  };
  return { parents, submit };
}

/** The error belongs to the copy's own class, so `instanceof` does not work. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && "retryable" in error && error.retryable === false;
}

/** An API that is alive answers sooner, however slow the machine. */
const ANSWER_MS = 15_000;

/**
 * Submits through the API.
 *
 * @param url of the running API
 * @param key where it asks for one
 */
export function apiSubmitter(url: () => Promise<string>, key?: string): Submitter {
  return async (submission) => {
    const response = await fetch(`${await url()}/jobs`, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...(key && { Authorization: `Bearer ${key}` }) },
      body: JSON.stringify(submission),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const answer = (await response.json()) as Receipt & { code?: string };
    if (response.ok) return answer;
    throw new Error(`answered ${response.status} ${answer.code}`);
  };
}

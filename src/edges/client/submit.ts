import type { ProducibleJob, Receipt } from "../../core/job/submit-options.ts";
import type { Submission, SubmitResult } from "../../desk/job-types.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { errorOf, isProblem, notHoldfast, readAnswer, retryAfterMs } from "./answer.ts";
import { type ApiCalls, isoOption } from "./api.ts";
import { canPass, resend } from "./resend.ts";

/** The name of a job type, or its contract. */
export type JobName = string | Pick<ProducibleJob<unknown>, "type">;

/** Undefined for what is neither: the API says that it is missing. */
export function typeOf(job: JobName): string | undefined {
  return typeof job === "string" ? job : job?.type;
}

interface Item {
  readonly json: string;
  result: SubmitResult | undefined;
}

/** What one request may carry; the API accepts 4 MiB. */
const BATCH_MAX = { jobs: 1_000, bytes: 4_000_000 };

export async function submitOne(
  api: ApiCalls,
  job: JobName,
  submission: Submission<unknown>,
  signal?: AbortSignal,
): Promise<Receipt> {
  const body = jsonOf(job, submission);
  return receiptOf(await api.again({ path: "/jobs", method: "POST", body, signal, isKeyed: true }));
}

/** @returns a result for each, in order */
export async function submitMany(
  api: ApiCalls,
  job: JobName,
  submissions: readonly Submission<unknown>[],
  signal?: AbortSignal,
): Promise<SubmitResult[]> {
  // JavaScript can give anything: the API says what is missing.
  const items = [submissions].flat().map((submission) => itemOf(job, submission ?? {}));
  for (const batch of batchesOf(items.filter(({ result }) => result === undefined)))
    await sendBatch(api, batch, signal);
  return items.map(({ result }) => result ?? notHoldfast("no result"));
}

/** Sends again what may still be accepted. What fails with the whole request fails with each of its jobs. */
async function sendBatch(api: ApiCalls, batch: readonly Item[], signal?: AbortSignal): Promise<void> {
  const isWaiting = ({ result }: Item) => result === undefined || canPass(result);
  const attempt = async (leftMs: number) => {
    const waiting = batch.filter(isWaiting);
    const results = await postBatch(api, waiting, leftMs, signal);
    for (const [index, item] of waiting.entries()) item.result = results[index];
    const failure = results.find(canPass);
    if (failure !== undefined) throw failure;
  };
  try {
    await resend(attempt, { timeoutMs: api.timeoutMs, signal });
  } catch (thrown) {
    if (!(thrown instanceof HoldfastError)) throw thrown;
    for (const item of batch.filter(isWaiting)) item.result = thrown;
  }
}

async function postBatch(
  api: ApiCalls,
  items: readonly Item[],
  limitMs: number,
  signal?: AbortSignal,
): Promise<SubmitResult[]> {
  const body = `{"jobs":[${items.map(({ json }) => json).join()}]}`;
  const read = async (response: Response) => {
    const answer = await readAnswer(response);
    return resultsIn(answer, items.length).map((result) =>
      isProblem(result) ? errorOf(result, retryAfterMs(response.headers)) : receiptOf(result),
    );
  };
  return await api.once({ path: "/jobs/batch", method: "POST", body, signal, isKeyed: true }, limitMs, read);
}

function* batchesOf(items: readonly Item[]): Generator<Item[]> {
  let batch: Item[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = new TextEncoder().encode(item.json).length + 1;
    if (batch.length === BATCH_MAX.jobs || (batch.length > 0 && bytes + size > BATCH_MAX.bytes)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(item);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

/** A submission that is no JSON is refused by itself. */
function itemOf(job: JobName, submission: Submission<unknown>): Item {
  try {
    return { json: jsonOf(job, submission), result: undefined };
  } catch (thrown) {
    if (!(thrown instanceof HoldfastError)) throw thrown;
    return { json: "", result: thrown };
  }
}

/** @throws HoldfastError `INVALID_REQUEST` */
function jsonOf(job: JobName, submission: Submission<unknown>): string {
  const { payload, idempotencyKey, ...given } = submission;
  const type = typeOf(job);
  const runAt = isoOption("options/runAt", submission.runAt);
  const startBy = isoOption("options/startBy", submission.startBy);
  // The API knows all options, and refuses others.
  const options = { ...given, runAt, startBy };
  try {
    return JSON.stringify({ type, payload, idempotencyKey, options });
  } catch (cause) {
    const issues = [{ pointer: "/payload", message: "expected what JSON can express" }];
    throw new HoldfastError("INVALID_REQUEST", "/payload: expected what JSON can express", { cause, issues });
  }
}

function resultsIn(answer: unknown, count: number): unknown[] {
  const { results } = answer as { results?: unknown };
  if (Array.isArray(results) && results.length === count) return results;
  throw notHoldfast(`no ${count} results`);
}

export function receiptOf(answer: unknown): Receipt {
  const {
    status: _,
    statusUrl: __,
    ...receipt
  } = answer as Receipt & Partial<Record<"status" | "statusUrl", unknown>>;
  if (typeof receipt.id === "string" && typeof receipt.duplicate === "boolean") return receipt;
  throw notHoldfast("no receipt");
}

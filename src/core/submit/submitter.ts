import type { Settings } from "../../platform/config/settings.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { traceCarrier } from "../../platform/telemetry/tracing.ts";
import { type AddJob, openTrailAdder } from "../bullmq/add/dedup-trail.ts";
import type { JobExtras, NewJob } from "../bullmq/add/new-job.ts";
import type { ConnectedQueues } from "../bullmq/store/connect-queues.ts";
import { openFingerprintSecrets } from "../bullmq/store/fingerprint-secrets.ts";
import { LayoutChanged } from "../bullmq/store/partitions.ts";
import { openQueueMemory } from "../bullmq/store/queue-memory.ts";
import type { Events } from "../events.ts";
import type { Application } from "../job/application.ts";
import type { JobContract } from "../job/contract.ts";
import { dedupKeyOf } from "../job/dedup-key.ts";
import { keyFault } from "../job/idempotency-key.ts";
import { type KeyHolder, keyHolder, newJobId } from "../job/job-id.ts";
import type { Receipt } from "../job/submit-options.ts";
import { fingerprintOf, keyedHash } from "./fingerprint.ts";
import type { JobPart, OtherWay, SubmitPoints, WayIn } from "./points.ts";
import { type SubmissionOptions, timingOf } from "./submission.ts";
import { openValidator, type Validate, type ValidSubmission } from "./validate.ts";
import { openWays, requireWhole, wayInOf } from "./way-in.ts";

/** The one path by which jobs come in: HTTP, command line, library, scheduler and handlers. */
export interface Submitter {
  /**
   * Creates a job, unless its key was used before.
   *
   * @param input type, payload, idempotencyKey and options, as in the body of `POST /jobs`
   * @param request what was requested, if the payload is made anew each time: then this decides whether a key is reused for other
   *   content, not the payload
   * @returns when the job is durable to the configured level
   * @throws HoldfastError `INVALID_REQUEST`, `INVALID_PAYLOAD`, `UNKNOWN_JOB_TYPE`, `IDEMPOTENCY_KEY_MISSING`,
   *   `IDEMPOTENCY_KEY_INVALID`, `IDEMPOTENCY_KEY_REUSED`: refused, nothing was stored
   * @throws HoldfastError `STORE_UNAVAILABLE` (outcome unknown), `STORE_FULL`, `STORE_ROLLED_BACK`, `STORE_UNFIT`, `CLOCK_WRONG`,
   *   `DECRYPTION_FAILED`: the same key is safe to send again
   */
  submit(input: unknown, request?: string): Promise<Receipt>;
  /** The same with a key that Holdfast made, which may be one that a feature reserves. */
  submitOwn(input: unknown, request?: string): Promise<Receipt>;
  /**
   * Checks a submission at once, so that its caller may change it afterwards.
   *
   * @returns submits what was checked, as often as it is called; a refused submission is refused then
   */
  check(input: unknown, request?: string): () => Promise<Receipt>;
  /** The same with a key that Holdfast made. */
  checkOwn(input: unknown, request?: string): () => Promise<Receipt>;
  /** For features that submit several jobs as one. */
  readonly steps: SubmitSteps;
}

/** The steps of a submission. */
export interface SubmitSteps {
  readonly validate: Validate;
  /** @throws HoldfastError where this process must not accept jobs now; a promise where it has to ask Redis first */
  mayAccept(): Promise<void> | undefined;
  /** The secret of the contract's queue, read together with what else must precede its first submission. */
  prepare(contract: JobContract): Promise<string>;
  /** The job of a submission, with all but its id. */
  jobOf(submission: ValidSubmission, secret: string): Omit<NewJob, "id">;
  readonly openAdder: (adderOf: OtherWay["createAdder"]) => AddJob;
  /** Called for each job, as it is added or found. @param isNew whether this submission has added it */
  onSubmitted(receipt: Receipt, isNew: boolean): void;
  onRefused(input: unknown, error: unknown): void;
}

export function createSubmitter(
  application: Application,
  queues: ConnectedQueues,
  { HOLDFAST_PREFIX: prefix, HOLDFAST_RETENTION_MS: retentionMs }: Settings,
  events: Events,
  features: readonly SubmitPoints[],
): Submitter {
  const { client, stores, epochs, clock } = queues;
  const secrets = openFingerprintSecrets(queues, prefix, application.queues);
  if (queues.codec.keyIds.length > 0) secrets.renew().catch(() => {});
  const queueMemory = openQueueMemory(client, prefix);
  epochs.onLoss(async () => {
    secrets.offerAgain();
    queueMemory.forget();
  });
  const steps: SubmitSteps = {
    validate: openValidator(features),
    mayAccept: () => mayAccept(queues),
    prepare,
    jobOf: (submission, secret) => newJobOf(submission, secret, clock.now(), retentionMs),
    openAdder: (adderOf) => openTrailAdder(stores, adderOf),
    onSubmitted: (receipt, isNew) => events.emit("job.submitted", receipt, isNew),
    onRefused: (input, error) => events.emit("submission.refused", input, error),
  };
  const enqueue = openEnqueue(stores, steps);

  async function prepare(contract: JobContract): Promise<string> {
    const [read] = await Promise.all([secrets.of(contract.queue).get(), queueMemory.remember(contract)]);
    return read;
  }

  async function add(submission: ValidSubmission, content: string): Promise<Receipt> {
    const confirming = mayAccept(queues);
    if (confirming !== undefined) await confirming;
    const { contract } = submission;
    const known = queueMemory.has(contract) ? secrets.of(contract.queue).known() : undefined;
    // All of it together must be done in time.
    return await (known === undefined
      ? inTime(prepare(contract).then((read) => enqueue(submission, content, read)))
      : enqueue(submission, content, known));
  }

  const check = openCheck(application, steps, add);
  const checkOwn = openCheck(application, steps, add, keyFault);

  return {
    submit: (input, request) => check(input, request)(),
    submitOwn: (input, request) => checkOwn(input, request)(),
    check,
    checkOwn,
    steps,
  };
}

/** With a wrong clock, delays and what handlers make of the time would be wrong. */
function mayAccept({ clock, fitness, keysInUse }: ConnectedQueues): Promise<void> | undefined {
  clock.assertRight();
  keysInUse.assertFit();
  return fitness.confirm();
}

type Add = (submission: ValidSubmission, content: string) => Promise<Receipt>;

function openCheck(
  application: Application,
  { validate, onRefused }: SubmitSteps,
  add: Add,
  keyFaultOf?: typeof keyFault,
): Submitter["check"] {
  return (input, request) => {
    const refused = async (error: unknown) => {
      onRefused(input, error);
      throw advised(error);
    };
    try {
      const submission = validate(application, input, keyFaultOf);
      return () => add(submission, request ?? submission.content).catch(refused);
    } catch (error) {
      return () => refused(error);
    }
  };
}

type Enqueue = (submission: ValidSubmission, content: string, secret: string) => Promise<Receipt>;

/** Adds the job, or finds the one that has its key. */
function openEnqueue(
  stores: ConnectedQueues["stores"],
  { jobOf, openAdder, onSubmitted }: Pick<SubmitSteps, "jobOf" | "openAdder" | "onSubmitted">,
): Enqueue {
  const addBy = openWays(openAdder);

  /** Adds it where its key belongs. @returns the id that it was given, and what has its key */
  async function place(
    contract: JobContract,
    wayIn: WayIn | undefined,
    fingerprint: string,
    job: Omit<NewJob, "id">,
  ) {
    const { type, envelope, retry, timing, trace, dedup, extras } = job;
    for (let tries = 1; ; tries += 1) {
      const homes = stores.layouts.homesOf(contract, dedup.key);
      requireWhole(contract, stores.layouts, wayIn);
      const id = newJobId(homes.at(-1) ?? contract.queue, fingerprint);
      try {
        // Member by member: an object that is spread costs a microsecond (row `http-submit`).
        const added: Required<NewJob> = { id, type, envelope, retry, timing, trace, dedup, extras };
        return { id, holder: keyHolder(await addBy(wayIn)(homes, added)) };
      } catch (error) {
        if (!(error instanceof LayoutChanged) || tries === LAYOUTS_MAX) throw error;
      }
    }
  }

  return async (submission, content, secret) => {
    const { contract } = submission;
    const wayIn = wayInOf(submission);
    const job = jobOf(submission, secret);
    const fingerprint = fingerprintOf(secret, job.dedup.key, content);
    const { id, holder } = await place(contract, wayIn, fingerprint, job);
    if (!holder.submission.endsWith(fingerprint)) throw keyReused();
    const own = receiptOf(submission, id, holder);
    const receipt = wayIn === undefined ? own : await receiptBy(wayIn, stores, own, holder);
    onSubmitted(receipt, holder.job === id);
    return receipt;
  };
}

async function receiptBy({ load }: WayIn, ...of: Parameters<OtherWay["receiptOf"]>): Promise<Receipt> {
  return await (await load()).receiptOf(...of);
}

/** @param id that this call has made */
function receiptOf(
  { contract: { type }, idempotencyKey }: ValidSubmission,
  id: string,
  { submission, job }: KeyHolder,
): Receipt {
  return { id: job, type, idempotencyKey, duplicate: submission !== id };
}

/** @param now Redis's clock, in milliseconds since 1970 */
function newJobOf(
  submission: ValidSubmission,
  secret: string,
  now: number,
  retentionMs: number,
): Omit<NewJob, "id"> {
  const { contract, payloadJson, idempotencyKey, options, parts } = submission;
  const { type, retry } = contract;
  const timing = timingOf(delayedBy(parts, options), now, contract.startWithinMs);
  const dedup = { key: dedupKeyOf(type, idempotencyKey), holdMs: retentionMs + timing.delayMs };
  const envelope = { key: idempotencyKey, payloadJson };
  const job = { timing, dedup, type, retry, envelope, trace: traceCarrier() };
  return parts.length === 0 ? job : withParts(job, parts, secret);
}

function delayedBy(parts: readonly JobPart[], options: SubmissionOptions): SubmissionOptions {
  if (parts.length === 0) return options;
  const delayMs = parts.find((part) => part.delayMs !== undefined)?.delayMs;
  return delayMs === undefined ? options : { ...options, delayMs };
}

function withParts<Job extends Pick<NewJob, "timing">>(job: Job, parts: readonly JobPart[], secret: string) {
  const travelling = parts.map((part) => part.travel((...of) => keyedHash(secret, ...of)));
  const priority = Math.max(job.timing.priority, ...travelling.map(({ leastPriority = 0 }) => leastPriority));
  const json = JSON.stringify(Object.assign({}, ...travelling.map(({ extras }) => extras)));
  const stored: JobExtras["stored"] = Object.assign({}, ...travelling.map((each) => each.stored));
  return { ...job, timing: { ...job.timing, priority }, extras: { json, stored } };
}

/** A queue is not divided again within one submission. */
const LAYOUTS_MAX = 3;

/** Says whether the job may have been accepted, and that the request is safe to repeat. */
function advised(fault: unknown): unknown {
  if (!(fault instanceof HoldfastError && fault.retryable)) return fault;
  const outcome =
    fault.code === "STORE_UNAVAILABLE" ? "whether the job was accepted is unknown" : "nothing was stored";
  const message = `${fault.message}: ${outcome}. Sending the same request with the same idempotency key again is safe.`;
  return new HoldfastError(fault.code, message, { cause: fault, retryAfterMs: fault.retryAfterMs });
}

function keyReused(): HoldfastError {
  return new HoldfastError(
    "IDEMPOTENCY_KEY_REUSED",
    "This idempotency key was used before with other content; nothing was stored. Use a new key for new content.",
  );
}

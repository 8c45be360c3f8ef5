import type { FairShare } from "../../features/fairness/fairness.ts";
import type { FlowReceipt } from "../../features/flows/flow.ts";
import { FlowSubmitter } from "../../features/flows/flow-submitter.ts";
import { openTrailAdder } from "../../features/former-queues/dedup-trail.ts";
import type { Settings } from "../../platform/config/settings.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { traceCarrier } from "../../platform/telemetry/tracing.ts";
import { createJobAdder } from "../bullmq/add/job-adder.ts";
import type { JobExtras, NewJob, Timing } from "../bullmq/add/new-job.ts";
import type { ConnectedQueues } from "../bullmq/store/connect-queues.ts";
import { openFingerprintSecrets } from "../bullmq/store/fingerprint-secrets.ts";
import { LayoutChanged } from "../bullmq/store/partitions.ts";
import { openQueueMemory } from "../bullmq/store/queue-memory.ts";
import type { Events } from "../events.ts";
import { dedupKeyOf } from "../job/dedup-key.ts";
import type { Application } from "../job/define-config.ts";
import type { JobContract } from "../job/define-job.ts";
import { keyFault } from "../job/idempotency-key.ts";
import { newJobId } from "../job/job-id.ts";
import type { Receipt } from "../job/submit-options.ts";
import { fingerprintOf, laneHashOf, tenantHashOf } from "./fingerprint.ts";
import { timingOf } from "./submission.ts";
import { type ValidSubmission, validateSubmission } from "./validate.ts";

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
  /** The same with a key that Holdfast made: of a tick, or of a job that another one submits. Clients may not use those of ticks. */
  submitOwn(input: unknown, request?: string): Promise<Receipt>;
  /**
   * Checks a submission at once, so that its caller may change it afterwards.
   *
   * @returns submits what was checked, as often as it is called; a refused submission is refused then
   */
  check(input: unknown, request?: string): () => Promise<Receipt>;
  /** The same with a key that Holdfast made. */
  checkOwn(input: unknown, request?: string): () => Promise<Receipt>;
  /**
   * Creates the jobs of a flow, as far as they do not exist.
   *
   * @param input parent, children and onChildFailure, as in the body of `POST /flows`
   * @param isShared whether the caller may change it: then all of it is checked at once
   * @returns the parent's receipt, when all jobs are durable to the configured level
   * @throws HoldfastError as `submit`; `FLOW_ACROSS_QUEUES`, `CHILD_OF_OTHER_FLOW`
   */
  submitFlow(input: unknown, isShared?: boolean): Promise<FlowReceipt>;
}

export function createSubmitter(
  application: Application,
  queues: ConnectedQueues,
  { HOLDFAST_PREFIX: prefix, HOLDFAST_RETENTION_MS: retentionMs }: Settings,
  events: Events,
): Submitter {
  const { client, stores, epochs, clock } = queues;
  const secrets = openFingerprintSecrets(queues, prefix, application.queues);
  if (queues.codec.keyIds.length > 0) secrets.renew().catch(() => {});
  const memory = openQueueMemory(client, prefix);
  epochs.onLoss(async () => {
    secrets.offerAgain();
    memory.forget();
  });
  const jobOf: JobOf = (submission, secret) => newJobOf(submission, secret, clock.now(), retentionMs);
  const enqueue = openEnqueue(stores, jobOf);

  async function prepare(contract: JobContract): Promise<string> {
    const [read] = await Promise.all([secrets.of(contract.queue).get(), memory.remember(contract)]);
    return read;
  }

  async function add(submission: ValidSubmission, content: string): Promise<Receipt> {
    const confirming = mayAccept(queues);
    if (confirming !== undefined) await confirming;
    const { contract } = submission;
    const known = memory.knows(contract) ? secrets.of(contract.queue).known() : undefined;
    // All of it together must be done in time.
    const receipt = await (known === undefined
      ? inTime(prepare(contract).then((read) => enqueue(submission, content, read)))
      : enqueue(submission, content, known));
    events.emit("job.submitted", receipt);
    return receipt;
  }

  const onSubmitted = (receipt: Receipt) => events.emit("job.submitted", receipt);
  const flows = new FlowSubmitter({ application, stores, prepare, jobOf, onSubmitted });
  const check = openCheck(application, events, add);
  const checkOwn = openCheck(application, events, add, keyFault);

  return {
    async submitFlow(input, isShared) {
      try {
        const flow = await flows.check(input, isShared);
        await mayAccept(queues);
        return await flows.submit(flow);
      } catch (error) {
        events.emit("submission.refused", input, error);
        throw error;
      }
    },
    submit: (input, request) => check(input, request)(),
    submitOwn: (input, request) => checkOwn(input, request)(),
    check,
    checkOwn,
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
  events: Events,
  add: Add,
  keyFaultOf?: typeof keyFault,
): Submitter["check"] {
  return (input, request) => {
    const refused = async (error: unknown) => {
      events.emit("submission.refused", input, error);
      throw advised(error);
    };
    try {
      const submission = validateSubmission(application, input, keyFaultOf);
      return () => add(submission, request ?? submission.content).catch(refused);
    } catch (error) {
      return () => refused(error);
    }
  };
}

type JobOf = (submission: ValidSubmission, secret: string) => Omit<NewJob, "id">;
type Enqueue = (submission: ValidSubmission, content: string, secret: string) => Promise<Receipt>;

/** Adds the job, or finds the one that has its key. */
function openEnqueue(stores: ConnectedQueues["stores"], jobOf: JobOf): Enqueue {
  const add = openTrailAdder(stores, createJobAdder);
  return async (submission, content, secret) => {
    const { contract, idempotencyKey } = submission;
    const job = jobOf(submission, secret);
    const dedupKey = job.dedup.key;
    const fingerprint = fingerprintOf(secret, dedupKey, content);
    for (let tries = 1; ; tries += 1) {
      const homes = stores.layouts.homesOf(contract, dedupKey);
      const id = newJobId(homes.at(-1) ?? contract.queue, fingerprint);
      try {
        const holder = await add(homes, { id, ...job });
        if (!holder.endsWith(fingerprint)) throw keyReused();
        return { id: holder, type: contract.type, idempotencyKey, duplicate: holder !== id };
      } catch (error) {
        if (!(error instanceof LayoutChanged) || tries === LAYOUTS_MAX) throw error;
      }
    }
  };
}

/** @param now Redis's clock, in milliseconds since 1970 */
function newJobOf(
  submission: ValidSubmission,
  secret: string,
  now: number,
  retentionMs: number,
): Omit<NewJob, "id"> {
  const { contract, payloadJson, idempotencyKey } = submission;
  const { type, retry } = contract;
  const timing = timingIn(submission, now, secret);
  const dedup = { key: dedupKeyOf(type, idempotencyKey), holdMs: retentionMs + timing.delayMs };
  const envelope = { key: idempotencyKey, payloadJson };
  const extras = extrasOf(submission, secret);
  return { timing, dedup, type, retry, envelope, extras, trace: traceCarrier() };
}

/** Only jobs with a priority have rounds. 1 is the first. */
function fairTiming(timing: Timing, { key, weight }: FairShare, secret: string): Timing {
  const turn = { tenant: tenantHashOf(secret, key), rounds: 1 / weight };
  return { ...timing, priority: Math.max(1, timing.priority), turn };
}

/** @param now Redis's clock, in milliseconds since 1970 */
function timingIn({ contract, options, share }: ValidSubmission, now: number, secret: string): Timing {
  const timing = timingOf(options, now, contract.startWithinMs);
  return share === undefined ? timing : fairTiming(timing, share, secret);
}

/** Undefined for most jobs. */
function extrasOf({ keyed, options: { tags } }: ValidSubmission, secret: string): JobExtras | undefined {
  const hasTags = tags !== undefined && tags.length > 0;
  if (keyed === undefined && !hasTags) return undefined;
  const lane = keyed && { hash: laneHashOf(secret, keyed.key), limit: keyed.limit };
  return { lane, tags: hasTags ? tags : undefined };
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

import type { AddJob } from "../../core/bullmq/add/dedup-trail.ts";
import type { DeclaredChild } from "../../core/bullmq/add/envelope.ts";
import type { NewJob } from "../../core/bullmq/add/new-job.ts";
import { cancelJob } from "../../core/bullmq/end/cancel-job.ts";
import type { QueueStore, QueueStores, WritableQueueStore } from "../../core/bullmq/store/queue-store.ts";
import { failpoint } from "../../core/failpoints.ts";
import type { JobContract } from "../../core/job/contract.ts";
import { dedupKeyOf } from "../../core/job/dedup-key.ts";
import { newJobId, queueOfId } from "../../core/job/job-id.ts";
import type { Receipt } from "../../core/job/submit-options.ts";
import { fingerprintOf } from "../../core/submit/fingerprint.ts";
import type { SubmitSteps } from "../../core/submit/submitter.ts";
import type { ValidSubmission } from "../../core/submit/validate.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { withDeadline } from "../../platform/lib/deadline.ts";
import { mapInFlight } from "../../platform/lib/map-in-flight.ts";
import { inTime, redisUnavailable } from "../../platform/redis/redis-errors.ts";
import type { FlowReceipt } from "./flow.ts";
import type { ValidFlow } from "./flow-input.ts";
import { childElsewhere, childOfOtherFlow, childReused, IN_VAIN, parentReused } from "./flow-refusals.ts";
import {
  awaitingParents,
  closeFlow,
  createChildAdder,
  createParentAdder,
  FlowClosed,
  isFlowOpen,
} from "./flows.ts";

declare module "../../core/failpoints.ts" {
  interface FeatureFailpoints {
    "flow:opened": true;
    "flow:child": true;
    "flow:added": true;
  }
}

/** A job of a flow, with all but its id. */
interface Member {
  readonly contract: JobContract;
  readonly fingerprint: string;
  readonly job: Omit<NewJob, "id">;
}

interface Holder {
  readonly home: string;
  readonly id: string;
}

const IN_FLIGHT_MAX = 128;
const READ_TOGETHER = 500;
/** Somebody waits for the answer, and each child may take a busy Redis this much longer. */
const ANSWERED_WITHIN_MS = 1_500;
const CHILD_MS = 1;

/**
 * Submits a flow. The steps: add the parent, which waits for more than its children; add the children, each to its parent in one step; let the
 * parent wait for its children alone. A submitter that dies leaves a parent that waits. The same flow again takes the steps that are left.
 *
 * @param goneMs how long its sender has waited already
 */
export async function addFlow(
  stores: QueueStores<WritableQueueStore>,
  steps: SubmitSteps,
  flow: ValidFlow,
  goneMs: number,
): Promise<FlowReceipt> {
  const answered = new AbortController();
  const submit = async () => {
    const secret = await inTime(prepareAll(steps, flow));
    return await new FlowSubmission(stores, steps, flow, secret, answered.signal).submit();
  };
  const ms = Math.max(0, ANSWERED_WITHIN_MS + CHILD_MS * flow.children.length - goneMs);
  try {
    return await withDeadline(submit(), ms, redisUnavailable);
  } catch (error) {
    throw advised(error);
  } finally {
    answered.abort();
  }
}

class FlowSubmission {
  readonly #stores: QueueStores<WritableQueueStore>;
  readonly #steps: SubmitSteps;
  readonly #flow: ValidFlow;
  readonly #parent: Member;
  readonly #children: readonly Member[];
  readonly #answered: AbortSignal;

  /** @param answered once it is, the work need not go on */
  constructor(
    stores: QueueStores<WritableQueueStore>,
    steps: SubmitSteps,
    flow: ValidFlow,
    secret: string,
    answered: AbortSignal,
  ) {
    const memberOf = (submission: ValidSubmission, content: string): Member => {
      const { contract, idempotencyKey } = submission;
      const fingerprint = fingerprintOf(secret, dedupKeyOf(contract.type, idempotencyKey), content);
      return { contract, fingerprint, job: steps.jobOf(submission, secret) };
    };
    this.#stores = stores;
    this.#steps = steps;
    this.#flow = flow;
    this.#children = flow.children.map(({ submission }) => memberOf(submission, submission.content));
    this.#parent = parentOf(memberOf(flow.parent, flow.content), flow, this.#children);
    this.#answered = answered;
  }

  async submit(): Promise<FlowReceipt> {
    await this.#requireFreeKeys();
    const added = await this.#add(this.#steps.openAdder(createParentAdder), this.#parent);
    if (added === undefined) throw parentReused();
    const receipt = { ...added, children: this.#children.length };
    const store = this.#stores.of(queueOfId(added.id) ?? this.#parent.contract.queue);
    if (added.duplicate && !(await isFlowOpen(store, added.id))) return receipt;
    try {
      await this.#finish(added.id);
    } catch (error) {
      if (error instanceof FlowClosed) return receipt;
      // It never gets all of its children.
      const isInVain = error instanceof HoldfastError && !error.retryable;
      if (isInVain && !added.duplicate) await inTime(cancelJob(store, added.id));
      throw error;
    }
    return receipt;
  }

  /** Before anything is stored. Somebody can still use a key meanwhile. */
  async #requireFreeKeys(): Promise<void> {
    const [known = []] = await this.#holdersOf([this.#parent]);
    for (let at = 0; at < this.#children.length; at += READ_TOGETHER) {
      const some = this.#children.slice(at, at + READ_TOGETHER);
      const found = await this.#holdersOf(some);
      await mapInFlight(some, IN_FLIGHT_MAX, async (child, index) => {
        for (const holder of found[index] ?? []) await this.#requireOwn(holder, child, at + index, known);
      });
    }
  }

  /** Refuses a child whose key another job has, or that another flow waits for. @param known who has the parent's key */
  async #requireOwn({ home, id }: Holder, child: Member, index: number, known: readonly Holder[]) {
    const isWaiting = known.length > 0;
    if (!id.endsWith(child.fingerprint)) throw childReused(index, isWaiting ? IN_VAIN : "nothing was stored");
    if (queueOfId(id) !== home) return;
    // A flow that was submitted before its jobs moved has its children there, too.
    if (home !== this.#parent.contract.queue && !isWaiting) throw childElsewhere(index);
    const awaiting = await awaitingParents(this.#stores.of(home), id);
    if (awaiting.some((other) => known.every((holder) => holder.id !== other))) throw childOfOtherFlow();
  }

  /** For each job the ids that have its key, in the queues where it can be claimed. */
  async #holdersOf(members: readonly Member[]): Promise<Holder[][]> {
    const { layouts, of } = this.#stores;
    const found: Holder[][] = members.map(() => []);
    const places = new Map<string, number[]>();
    for (const [index, { contract, job }] of members.entries())
      for (const home of layouts.homesOf(contract, job.dedup.key)) {
        const indexes = places.get(home) ?? [];
        indexes.push(index);
        places.set(home, indexes);
      }
    for (const [home, indexes] of places) {
      const dedupKeys = indexes.map((index) => members[index]?.job.dedup.key ?? "");
      const ids = await inTime(readHolders(of(home), dedupKeys));
      for (const [at, id] of ids.entries()) if (id !== null) found[indexes[at] ?? 0]?.push({ home, id });
    }
    return found;
  }

  /** @returns undefined where the key belongs to other content */
  async #add(add: AddJob, { contract, fingerprint, job }: Member): Promise<Receipt | undefined> {
    const id = newJobId(contract.queue, fingerprint);
    const homes = this.#stores.layouts.homesOf(contract, job.dedup.key);
    const holder = await add(homes, { id, ...job });
    if (!holder.endsWith(fingerprint)) return undefined;
    const { type, envelope } = job;
    const receipt = { id: holder, type, idempotencyKey: envelope.key, duplicate: holder !== id };
    this.#steps.onSubmitted(receipt, !receipt.duplicate);
    return receipt;
  }

  async #finish(parentId: string): Promise<void> {
    const { contract, job } = this.#parent;
    await failpoint("flow:opened", parentId);
    await this.#addChildren(parentId);
    await failpoint("flow:added", parentId);
    await closeFlow(this.#stores.of(contract.queue), parentId, this.#children.length, job.dedup);
  }

  async #addChildren(parentId: string): Promise<void> {
    const { onChildFailure } = this.#flow;
    const adder = this.#steps.openAdder((store) => createChildAdder(store, parentId, onChildFailure));
    await mapInFlight(this.#children, IN_FLIGHT_MAX, async (child, index) => {
      if (this.#answered.aborted) throw redisUnavailable();
      const added = await this.#add(adder, child);
      if (added === undefined) throw childReused(index, IN_VAIN);
      if (queueOfId(added.id) !== this.#parent.contract.queue) throw childElsewhere(index);
      await failpoint("flow:child", parentId);
    });
  }
}

/** Reads what has these keys, as `keyHolder` reads it; null where nothing has. */
async function readHolders(
  { client, keys }: QueueStore,
  dedupKeys: readonly string[],
): Promise<(string | null)[]> {
  const pipeline = client.pipeline();
  for (const dedupKey of dedupKeys) pipeline.get(keys.dedupKey(dedupKey));
  const replies = (await pipeline.exec()) ?? [];
  return replies.map(([error, id]) => {
    if (error !== null) throw error;
    return id as string | null;
  });
}

async function prepareAll({ prepare }: SubmitSteps, flow: ValidFlow): Promise<string> {
  const contracts = new Set(flow.children.map(({ submission }) => submission.contract));
  const [secret] = await Promise.all([flow.parent.contract, ...contracts].map(prepare));
  return secret ?? "";
}

/** The parent keeps its key as long as each child, so that no child is added again that has lost its own. */
function parentOf(member: Member, flow: ValidFlow, children: readonly Member[]): Member {
  const declared = children.map(({ fingerprint, job }, index): DeclaredChild => {
    const name = flow.children[index]?.name;
    return name === undefined ? [fingerprint, job.type] : [fingerprint, job.type, name];
  });
  const { startBy } = flow.parent.options;
  const { dedup, envelope, timing } = member.job;
  const holdMs = children.reduce((most, { job }) => Math.max(most, job.dedup.holdMs), dedup.holdMs);
  const job = {
    ...member.job,
    dedup: { ...dedup, holdMs },
    envelope: { ...envelope, children: declared },
    // The time that its type declares counts from when it may run, and nobody knows when that will be.
    timing: { ...timing, startBy: startBy === undefined ? undefined : Date.parse(startBy) },
  };
  return { ...member, job };
}

/** The parent may exist by now. */
function advised(fault: unknown): unknown {
  if (!(fault instanceof HoldfastError && fault.retryable)) return fault;
  const message = `${fault.message}: the flow may be half submitted, and does not run before it is whole. Sending the same flow again finishes it.`;
  return new HoldfastError(fault.code, message, { cause: fault, retryAfterMs: fault.retryAfterMs });
}

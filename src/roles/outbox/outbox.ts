import type { JobContract } from "../../core/job/contract.ts";
import { keyFault } from "../../core/job/idempotency-key.ts";
import type { ProducibleJob, SubmitOptions } from "../../core/job/submit-options.ts";
import { submissionOf } from "../../core/submit/submission.ts";
import type { Validate } from "../../core/submit/validate.ts";
import { givenObject } from "../../platform/errors/given.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { INSERT, outboxMigration, ROW_BYTES_MAX, rowTooLarge, type Statement } from "./table.ts";
import { runIn, type Transaction } from "./transactions.ts";

export interface OutboxOptions extends SubmitOptions {
  /** Rows of one ordering key are submitted in the order in which they were added: 1 to 255 characters. @default no order */
  readonly orderingKey?: string;
}

/** Submits jobs as part of a transaction in PostgreSQL: if it commits, there is one job; if it does not, there is none. */
export interface Outbox {
  /**
   * Adds a row to the outbox in the caller's transaction. A relay submits it after the commit. `delayMs` and `startWithinMs` count from
   * then.
   *
   * @param tx a transaction of pg, postgres, Drizzle, Prisma, Knex, Kysely, TypeORM or MikroORM
   * @throws HoldfastError `INVALID_PAYLOAD`, `INVALID_REQUEST`, `IDEMPOTENCY_KEY_MISSING`, `IDEMPOTENCY_KEY_INVALID` as a submission;
   *   `OUTBOX_ROW_TOO_LARGE` beyond 16 MiB of JSON; `USAGE` for what is no transaction; and what the library throws
   * @example
   * await db.transaction(async (tx) => {
   *   await tx.insert(orders).values(order);
   *   await outbox.add(tx, sendReceipt, { orderId: order.id }, { idempotencyKey: `receipt-${order.id}` });
   * });
   */
  add<PayloadIn>(
    tx: Transaction,
    job: ProducibleJob<PayloadIn>,
    payload: NoInfer<PayloadIn>,
    options: OutboxOptions,
  ): Promise<void>;
  /** The same as a statement, with placeholders `$1` to `$5`, to run in a transaction of any other library. @throws HoldfastError as `add` */
  sql<PayloadIn>(
    job: ProducibleJob<PayloadIn>,
    payload: NoInfer<PayloadIn>,
    options: OutboxOptions,
  ): Statement;
  /** The migration that `holdfast outbox init` prints, for PostgreSQL 13 and later. */
  readonly migration: string;
}

/** @param validate as submissions are validated */
export function createOutbox(validate: Validate): Outbox {
  const sql: Outbox["sql"] = (job, payload, given) => {
    const { orderingKey, ...options } = givenObject(given, "/options");
    const sent = submissionOf(job, payload, options);
    const { payloadJson } = validate({ jobs: new Map([[job.type, job as JobContract]]) }, sent);
    const sentOptions = Object.keys(sent.options).length === 0 ? null : JSON.stringify(sent.options);
    const key = checkedOrderingKey(orderingKey);
    const bytes = Buffer.byteLength(payloadJson ?? "") + Buffer.byteLength(sentOptions ?? "");
    if (bytes > ROW_BYTES_MAX) throw rowTooLarge(bytes);
    return {
      text: INSERT,
      values: [job.type, payloadJson ?? null, options.idempotencyKey, sentOptions, key],
    };
  };
  return {
    add: async (tx, ...submission) => await runIn(tx, sql(...submission)),
    sql,
    migration: outboxMigration,
  };
}

function checkedOrderingKey(key: string | undefined): string | null {
  const message = key === undefined ? undefined : keyFault(key);
  if (message === undefined) return key ?? null;
  throw new HoldfastError("INVALID_REQUEST", `/options/orderingKey: ${message}`, {
    issues: [{ pointer: "/options/orderingKey", message }],
  });
}

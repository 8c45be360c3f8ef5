/**
 * The public surface for applications with a PostgreSQL: a submission that commits with a transaction. What connects loads the package
 * `pg`, a peer that only the relay and operators need.
 *
 * @module holdfast/postgres
 */

import { openValidator } from "./core/submit/validate.ts";
import type { startRelay as StartRelay } from "./desk/start-relay.ts";
import { features } from "./features/index.ts";
import { createOutbox, type Outbox } from "./features/outbox/outbox.ts";

export type { Outbox, OutboxOptions } from "./features/outbox/outbox.ts";
export type { Statement } from "./features/outbox/table.ts";
export type { Transaction } from "./features/outbox/transactions.ts";

/** See {@link Outbox}. */
export const outbox: Outbox = createOutbox(openValidator(features));

/**
 * Submits the rows of the outbox in PostgreSQL. Several do no harm.
 *
 * @function
 * @throws HoldfastError as `createProducer`, and `DATABASE_UNAVAILABLE`, `OUTBOX_NOT_FOUND`, `OUTBOX_VERSION_UNKNOWN`, `START_FAILED`
 */
export const startRelay: typeof StartRelay = async (...args) =>
  (await import("./desk/start-relay.ts")).startRelay(...args);

/**
 * `holdfast/postgres`: jobs and your PostgreSQL. A submission that commits with a transaction, and an effect that lives in one. It loads no
 * client: you give it yours. The relay and operators load the package `pg`, an optional peer.
 *
 * @module holdfast/postgres
 */

export {
  fromDrizzle,
  fromKnex,
  fromKysely,
  fromPg,
  fromPostgres,
  fromPrisma,
} from "./postgres/adapters.ts";
export type { Database, Row } from "./postgres/database.ts";
export { type DatabaseEffectOptions, databaseEffect } from "./postgres/database-effect.ts";
export { databaseEffectSql } from "./postgres/effects-table.ts";

import { openValidator } from "./core/submit/validate.ts";
import type { startRelay as StartRelay } from "./desk/start-relay.ts";
import { features } from "./features/index.ts";
import { createOutbox, type Outbox } from "./roles/outbox/outbox.ts";

export type { Outbox, OutboxOptions } from "./roles/outbox/outbox.ts";
export type { Statement } from "./roles/outbox/table.ts";
export type { Transaction } from "./roles/outbox/transactions.ts";

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

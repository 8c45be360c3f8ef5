/**
 * `holdfast/postgres`: jobs and your PostgreSQL. It loads no client: you give it yours.
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

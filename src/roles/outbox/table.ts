import { HoldfastError } from "../../platform/errors/holdfast-error.ts";

/** The outbox's table, the channel of its notifications, and its only index. */
export const TABLE = "holdfast_outbox";

/** Of the table; it is in the table's comment. A relay refuses a version that it does not know. */
export const VERSION = 1;

/** How long a relay's or an operator's transaction may be idle before the server ends it, in milliseconds: then others get its rows. */
export const IDLE_MAX_MS = 30_000;

/** Of the JSON of a row, in bytes: a relay holds it several times over while it submits it. */
export const ROW_BYTES_MAX = 16 * 1_048_576;

/** Of the type and the keys of a row together, in bytes: `outbox.add` cannot reach it. */
export const NAMES_BYTES_MAX = 4_096;

export function rowTooLarge(bytes: number): HoldfastError {
  const message = `expected at most ${ROW_BYTES_MAX} bytes of JSON, got ${bytes}`;
  return new HoldfastError("OUTBOX_ROW_TOO_LARGE", message);
}

export function namesTooLarge(bytes: number): HoldfastError {
  const message = `expected type, idempotency key and ordering key of at most ${NAMES_BYTES_MAX} bytes together, got ${bytes}`;
  return new HoldfastError("OUTBOX_ROW_TOO_LARGE", message);
}

/** The table's comment, by which its version is known. */
export const COMMENT = `Holdfast outbox, version ${VERSION}`;

/**
 * The migration, for PostgreSQL 13 and later. Running it again changes nothing.
 *
 * The index serves everything that a relay looks for: the next rows without an ordering key, the first row of each ordering key, parked and
 * accepted rows.
 */
export const outboxMigration = `CREATE TABLE IF NOT EXISTS ${TABLE} (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  type text NOT NULL,
  payload json,
  idempotency_key text NOT NULL,
  options json,
  ordering_key text CHECK (ordering_key <> ''),
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'parked', 'accepted')),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  problem json
);
COMMENT ON TABLE ${TABLE} IS '${COMMENT}';
CREATE INDEX IF NOT EXISTS ${TABLE}_next ON ${TABLE} (state, ordering_key, id);
CREATE OR REPLACE FUNCTION ${TABLE}_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('${TABLE}', '');
  RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS ${TABLE}_added ON ${TABLE};
CREATE TRIGGER ${TABLE}_added AFTER INSERT ON ${TABLE}
  FOR EACH STATEMENT EXECUTE FUNCTION ${TABLE}_notify();
`;

/** A parameterised statement, as `pg` and most libraries take it. */
export interface Statement {
  readonly text: string;
  readonly values: readonly (string | null)[];
}

/** Its values: type, payload as JSON, null without one, idempotency key, options as JSON, null for none, and ordering key. */
export const INSERT =
  // By `text`: the driver postgres writes a parameter of the type `json` as JSON, and this is JSON already.
  `INSERT INTO ${TABLE} (type, payload, idempotency_key, options, ordering_key) VALUES ($1, $2::text::json, $3, $4::text::json, $5)`;

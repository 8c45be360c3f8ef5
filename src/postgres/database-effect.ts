import { resultJson } from "../core/effect/effect-run.ts";
import type { EffectCall, ProbeAnswer, RunEffect } from "../core/job/effect.ts";
import type { JsonHeld, Jsonified } from "../core/job/jsonified.ts";
import { InDoubtError, NotDoneError, PermanentError, SnoozeError } from "../evidence/attempt-errors.ts";
import { vouchNotDone } from "../evidence/outgoing/own-word.ts";
import { sql } from "../evidence/sql.ts";
import { messageOf } from "../platform/lib/thrown.ts";
import type { Database } from "./database.ts";
import { claim, finish, forgetOld, type Known, rowOf, waitAtMost } from "./effects-table.ts";

export interface DatabaseEffectOptions {
  /**
   * Distinguishes runs of one effect in a loop: 1 to 200 characters, the same in each attempt.
   *
   * @default none
   */
  readonly index?: string;
}

/**
 * Runs an effect that lives in one PostgreSQL transaction, exactly once: the effect's key is committed with its work, so after a crash the
 * database itself answers whether it happened. It must be declared `inDoubt: "probe"`, and the table of `databaseEffectSql()` must exist.
 *
 * That holds for what `work` does in `tx`, and for nothing else: put a call of another service in an effect of its own. `work` must not end
 * its transaction. If it throws, the transaction is rolled back, and the job is retried as its policy says.
 *
 * @param effect the handler's own
 * @param database made once, e.g. by `fromPg(pool)`
 * @param work gets the transaction and what every effect gets; its result is kept as JSON of at most 16 KiB, in Redis and in the row
 * @returns what JSON has kept of what `work` returned, in this attempt or an earlier one; `undefined` if a person resolved the effect as done without a result
 * @throws what `work` throws
 * @throws InDoubtError if `work` has ended its transaction, or a doubt is older than 30 days
 * @example
 * const number = await databaseEffect(effect, database, "invoice", async (tx) => {
 *   const { rows } = await tx.query("insert into invoices (customer) values ($1) returning number", [payload.customer]);
 *   return rows[0].number;
 * });
 */
export async function databaseEffect<Name extends string, Probed extends string, Tx, T>(
  effect: RunEffect<Name, Probed>,
  database: Database<Tx>,
  name: NoInfer<Probed>,
  work: (tx: Tx, call: EffectCall) => Promise<T & JsonHeld<T>>,
  { index }: DatabaseEffectOptions = {},
): Promise<Jsonified<T> | undefined> {
  const run = new TransactionRun(database, work);
  const result = await effect<T>(name, (call) => run.begin(call), {
    ...(index !== undefined && { index }),
    classify: sql,
    probe: (call) => probe(database, call),
  });
  if (run.fence !== undefined) await forgetOld(database, run.fence);
  return result;
}

/** One run of an effect, in one transaction. */
class TransactionRun<Tx, T> {
  readonly #database: Database<Tx>;
  readonly #work: (tx: Tx, call: EffectCall) => Promise<T>;
  #progress: "running" | "committing" = "running";
  fence: number | undefined;

  constructor(database: Database<Tx>, work: (tx: Tx, call: EffectCall) => Promise<T>) {
    this.#database = database;
    this.#work = work;
  }

  async begin(call: EffectCall): Promise<T> {
    this.fence = call.fence;
    try {
      return await this.#database.transaction((tx) => this.#inTransaction(tx, call));
    } catch (error) {
      // A client commits only what has resolved.
      if (this.#progress === "running" && !(error instanceof InDoubtError)) vouchNotDone(error, call.key);
      throw error;
    }
  }

  async #inTransaction(tx: Tx, call: EffectCall): Promise<T> {
    const row = await rowOf(this.#database, tx, call);
    const known = await claim(this.#database, tx, row, "begun");
    if (known.state !== "claimed") return resultOf<T>(known);
    const result = await this.#work(tx, call);
    const json = resultJson(result);
    if (json === undefined) throw new PermanentError("The effect's result is not JSON of at most 16 KiB");
    call.signal.throwIfAborted();
    if (!(await finish(this.#database, tx, known.schema, row.key, json)))
      throw new InDoubtError(NO_TRANSACTION);
    this.#progress = "committing";
    return result;
  }
}

const NO_TRANSACTION =
  "the transaction that claimed the effect's row had ended before its work: the work has ended it, or the client began none";

const OF_ANOTHER =
  "an earlier version of Holdfast has written a row with this key, and does not say whether for this HOLDFAST_PREFIX or another one";

/** @throws unless the effect is done */
function resultOf<T>(known: Exclude<Known, { readonly state: "claimed" }>): T {
  switch (known.state) {
    case "done":
      return known.result as T;
    case "begun":
      throw new InDoubtError(NO_TRANSACTION);
    case "not-ours":
      throw new InDoubtError(OF_ANOTHER);
    case "not-done":
      throw new NotDoneError("A later attempt has found this run not done, so it may not begin any more");
    case "none":
      throw new NotDoneError("This run was reserved more than 30 days ago, so it may not begin any more");
  }
}

/** Longer waits are for a transaction that is stuck. Well below any effect's time, which the probe has, too. */
const WAIT_MS = 500;
/** A job can be snoozed 100 times, so an outage of 25 minutes leaves no doubt for a person. */
const ASK_AGAIN_MS = 15_000;

/** Claims the row of a run that is not done, so that the run can never commit. */
async function probe<Tx, T>(database: Database<Tx>, call: EffectCall): Promise<ProbeAnswer<T>> {
  const known = await database
    .transaction(async (tx) => {
      await waitAtMost(database, tx, WAIT_MS);
      return await claim(database, tx, await rowOf(database, tx, call), "not-done");
    })
    .catch((error) => {
      throw new SnoozeError(ASK_AGAIN_MS, `The database did not answer the probe: ${messageOf(error)}`);
    });
  if (known.state === "claimed" || known.state === "not-done") return "not-done";
  return known.state === "done" ? { done: known.result as T } : "unknown";
}

/** What a statement returns, by column. */
export type Row = Readonly<Record<string, unknown>>;

/**
 * How work runs in a transaction of the application's own client. `fromPg` and its siblings make one; write your own for another client.
 *
 * @typeParam Tx that client's transactions
 */
export interface Database<Tx> {
  /**
   * Runs `work` in a transaction of its own. Commits once `work` has resolved; rolls back, and never commits, if it rejects.
   *
   * @returns what `work` resolves to, once PostgreSQL has acknowledged the commit
   * @throws what `work` throws, and what the client throws
   */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * Runs one statement in a transaction.
   *
   * @param text with the values as `$1`, `$2`, …, each once and in this order
   */
  query(tx: Tx, text: string, values: readonly string[]): Promise<readonly Row[]>;
}

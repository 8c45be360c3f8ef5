// A client of `pg` that loses its connection emits "error", and Node.js ends a process that does not listen. The pool listens to idle clients
// only, and Drizzle and Kysely not at all. Each query gets an error of its own, so nothing else needs that event.
// `postgres` ends a transaction whose connection is lost at once. What is sent in it afterwards, by its work or as COMMIT, fails where nobody can
// catch it (version 3.4.9).

interface Emitter {
  on(event: string, listener: (...values: never[]) => void): unknown;
  emit(event: string, ...values: unknown[]): boolean;
}

function emitsEvents(value: unknown): value is Emitter {
  return typeof (value as Partial<Emitter> | null | undefined)?.on === "function";
}

const outliving = new WeakSet<object>();

/**
 * Listens to each client of a pool of `pg` for as long as it lives: what ends with its connection comes in several events, some after its
 * release. The first can come with what connected it, before whoever awaits the client goes on.
 */
export function outlivePool(pool: unknown): void {
  if (emitsEvents(pool) && "totalCount" in pool) pool.on("acquire", outliveConnection);
}

export function outliveConnection(client: { on(event: "error", listener: () => void): unknown }): void {
  if (outliving.has(client)) return;
  outliving.add(client);
  client.on("error", () => {});
}

/**
 * Kysely shows no client, but passes on to `pg` what it is given as a query. `pg` calls its `submit` with the connection, as it does with a
 * cursor, and drops a query that answers with an error: nothing is sent. Other drivers refuse what is no text, and have no such event.
 */
export async function outliveKyselyConnection(connection: {
  executeQuery(query: never): Promise<unknown>;
}): Promise<void> {
  const look = {
    toString: () => "",
    submit(found: Emitter) {
      if (emitsEvents(found)) containErrors(found);
      return new Error("Nothing to send");
    },
    handleError() {},
    // The client of pg-native waits for these.
    state: "done",
    once: (_event: string, done: () => void) => done(),
  };
  const query = { sql: look, parameters: [], query: { kind: "RawNode", sqlFragments: [""], parameters: [] } };
  await connection.executeQuery({ ...query, queryId: { queryId: "" } } as never).catch(() => {});
}

/** A client without a listener throws its "error" in the middle of its connection's events. */
function containErrors(connection: Emitter): void {
  if (outliving.has(connection)) return;
  outliving.add(connection);
  const emit = connection.emit.bind(connection);
  connection.emit = (event, ...values) => {
    try {
      return emit(event, ...values);
    } catch (error) {
      if (event === "error" || event === "errorMessage" || event === "end") return true;
      throw error;
    }
  };
}

/** Transactions of `postgres` that are over. */
const over = new WeakSet<object>();

/**
 * Runs work in a transaction of `postgres`, of which nothing is sent once it is over: not by the work, and no COMMIT.
 *
 * @param begin rejects when the connection is lost, though the work goes on
 * @param refusing replaces what sends the work's statements
 */
export async function outliveTransaction<Tx extends object, T>(
  begin: (work: (tx: Tx) => Promise<T>) => Promise<T>,
  work: (tx: Tx) => Promise<T>,
  refusing: (tx: Tx) => Tx,
): Promise<T> {
  const begun: Tx[] = [];
  try {
    return await begin(async (tx) => {
      begun.push(tx);
      try {
        return await work(refusing(tx));
      } finally {
        if (over.has(tx)) await new Promise(() => {}); // else it would send COMMIT or ROLLBACK
      }
    });
  } finally {
    for (const tx of begun) over.add(tx);
  }
}

/** The same, until its transaction is over: then every call throws. @param sends what sends statements: `sql` of `postgres` */
export function refusingOnceOver<Sends extends object>(sends: Sends, tx: object = sends): Sends {
  const requireOpen = () => {
    if (over.has(tx)) throw new Error("The transaction is over: its connection was lost");
  };
  return new Proxy(sends, {
    apply(target, self, values) {
      requireOpen();
      return Reflect.apply(target as () => unknown, self, values);
    },
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      return (...values: unknown[]) => {
        requireOpen();
        return Reflect.apply(member, target, values);
      };
    },
  });
}

/** Drizzle's transaction sends by the `sql` of `postgres` that is in its session. */
export function refusingInDrizzle<Tx extends object>(tx: Tx): Tx {
  const { session } = tx as { session?: { client?: unknown } };
  if (typeof session?.client === "function") session.client = refusingOnceOver(session.client, tx);
  return tx;
}

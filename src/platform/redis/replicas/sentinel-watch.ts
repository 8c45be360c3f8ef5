import type { Redis, SentinelConnectionOptions } from "ioredis";
import { withDeadline } from "../../lib/deadline.ts";
import { oneAtATime } from "../../lib/one-at-a-time.ts";
import { type SentinelAddress, sentinelClient } from "../cluster/sentinels.ts";
import { redisUnavailable } from "../redis-errors.ts";
import type { Replicas } from "./replicas.ts";

/** A sentinel that answers later is not waited for. */
const ANSWERS_WITHIN_MS = 400;
const POLL_MS = 10;

type Fields = ReadonlyMap<string, string>;

interface Answer {
  readonly replicas: readonly Fields[];
  readonly sentinels: readonly Fields[];
}

/** Asks all sentinels of one set, for all connections of a process to it: which replicas they could promote, and which other sentinels there are. */
export class SentinelWatch {
  readonly #options: SentinelConnectionOptions;
  readonly #clients = new Map<string, Redis>();
  /** Whether each known replica could be promoted. */
  #known: ReadonlyMap<string, boolean> | undefined;
  readonly look = oneAtATime(() => this.#look());

  constructor(options: SentinelConnectionOptions) {
    this.#options = options;
    for (const address of options.sentinels ?? []) this.#open(address);
  }

  stop(): void {
    for (const client of this.#clients.values()) client.disconnect();
    this.#clients.clear();
  }

  /**
   * Where not all sentinels answer, no replica is forgotten. Where none does, a replica's priority may have changed unseen.
   *
   * @throws HoldfastError `STORE_UNAVAILABLE` if none has ever answered
   */
  async #look(): Promise<Replicas> {
    if (this.#known === undefined) await this.#connected();
    const clients = [...this.#clients.values()];
    const asked = await Promise.allSettled(clients.map((client) => this.#ask(client)));
    const answers = asked.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
    if (answers.length === 0 && this.#known === undefined)
      throw redisUnavailable(undefined, "No sentinel says which replicas can be promoted");
    const isWhole = answers.length === clients.length;
    const known = new Map(isWhole ? [] : this.#known);
    if (answers.length === 0) for (const address of known.keys()) known.set(address, true);
    else for (const [address, canBePromoted] of replicasIn(answers)) known.set(address, canBePromoted);
    this.#known = known;
    this.#renew(answers, isWhole);
    const of = (wanted: boolean) =>
      [...known].filter(([, can]) => can === wanted).map(([address]) => address);
    return { promotable: new Set(of(true)), others: new Set(of(false)) };
  }

  async #connected(): Promise<void> {
    const deadline = performance.now() + ANSWERS_WITHIN_MS;
    while (
      [...this.#clients.values()].some(({ status }) => status !== "ready") &&
      performance.now() < deadline
    )
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }

  async #ask(client: Redis): Promise<Answer> {
    const { name = "" } = this.#options;
    const asked = Promise.all([
      client.call("SENTINEL", "REPLICAS", name),
      client.call("SENTINEL", "SENTINELS", name),
    ]);
    const [replicas, sentinels] = await withDeadline(asked, ANSWERS_WITHIN_MS, redisUnavailable);
    return { replicas: fieldsOf(replicas), sentinels: fieldsOf(sentinels) };
  }

  /** Later connections use these as well. Those that `REDIS_URL` names stay: they can be names that lead elsewhere tomorrow. */
  #renew(_answers: readonly Answer[], _isWhole: boolean): void {}

  #open(address: SentinelAddress): void {
    this.#clients.set(`${address.host}:${address.port}`, sentinelClient(this.#options, address));
  }
}

/** What any sentinel says can be promoted, can be. */
function replicasIn(answers: readonly Answer[]): Map<string, boolean> {
  const found = new Map<string, boolean>();
  for (const replica of answers.flatMap(({ replicas }) => replicas)) {
    const address = `${replica.get("ip")}:${replica.get("port")}`;
    found.set(address, found.get(address) === true || replica.get("slave-priority") !== "0");
  }
  return found;
}

function fieldsOf(reply: unknown): Fields[] {
  const rows = reply as readonly (readonly string[])[];
  return rows.map(
    (row) => new Map(row.flatMap((name, index) => (index % 2 === 0 ? [[name, row[index + 1] ?? ""]] : []))),
  );
}

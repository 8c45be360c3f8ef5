import type { Redis, SentinelConnectionOptions } from "ioredis";
import { withDeadline } from "../../lib/deadline.ts";
import { oneAtATime } from "../../lib/one-at-a-time.ts";
import { type SentinelAddress, sentinelClient } from "../cluster/sentinels.ts";
import { redisUnavailable } from "../redis-errors.ts";
import { addressName } from "../redis-url.ts";
import type { Replicas } from "./replicas.ts";

/** A sentinel that answers later is not waited for. */
const ANSWERS_WITHIN_MS = 400;
const POLL_MS = 10;

type Fields = ReadonlyMap<string, string>;

interface Answer {
  readonly id: string;
  readonly address: SentinelAddress;
  readonly replicas: readonly Fields[];
  /** The others. */
  readonly sentinels: readonly Fields[];
}

/** Asks all sentinels of one set, for all connections of a process to it: which replicas they could promote, and which other sentinels there are. */
export class SentinelWatch {
  readonly #options: SentinelConnectionOptions;
  readonly #configured: readonly SentinelAddress[];
  readonly #clients = new Map<string, { readonly address: SentinelAddress; readonly client: Redis }>();
  /** Whether each known replica could be promoted. */
  #known: ReadonlyMap<string, boolean> | undefined;
  /** The ids of the sentinels that have answered, and of those that they name. */
  #ids: readonly string[] = [];
  readonly look = oneAtATime(() => this.#look());

  /** @param options whose list of sentinels all connections share: it is kept up to date */
  constructor(options: SentinelConnectionOptions) {
    this.#options = options;
    this.#configured = [...(options.sentinels ?? [])];
    for (const address of this.#configured) this.#open(address);
  }

  get ids(): readonly string[] {
    return this.#ids;
  }

  stop(): void {
    for (const { client } of this.#clients.values()) client.disconnect();
    this.#clients.clear();
  }

  /**
   * Where not all sentinels answer, no replica is forgotten. Where none does, a replica's priority may have changed unseen.
   *
   * @throws HoldfastError `STORE_UNAVAILABLE` if none has ever answered
   */
  async #look(): Promise<Replicas> {
    if (this.#known === undefined) await this.#connected();
    const asked = await Promise.allSettled(
      [...this.#clients.values()].map((sentinel) => this.#ask(sentinel)),
    );
    const answers = asked.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
    if (answers.length === 0 && this.#known === undefined)
      throw redisUnavailable(undefined, "No sentinel says which replicas can be promoted");
    const known = new Map(areAll(answers) ? [] : this.#known);
    if (answers.length === 0) for (const address of known.keys()) known.set(address, true);
    else for (const [address, canBePromoted] of replicasIn(answers)) known.set(address, canBePromoted);
    this.#known = known;
    if (answers.length > 0) this.#renew(answers);
    const of = (wanted: boolean) =>
      [...known].filter(([, can]) => can === wanted).map(([address]) => address);
    return { promotable: new Set(of(true)), others: new Set(of(false)) };
  }

  async #connected(): Promise<void> {
    const deadline = performance.now() + ANSWERS_WITHIN_MS;
    const isReady = () => [...this.#clients.values()].every(({ client }) => client.status === "ready");
    while (!isReady() && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }

  async #ask({
    address,
    client,
  }: {
    readonly address: SentinelAddress;
    readonly client: Redis;
  }): Promise<Answer> {
    const { name = "" } = this.#options;
    const asked = Promise.all([
      client.call("SENTINEL", "MYID"),
      client.call("SENTINEL", "REPLICAS", name),
      client.call("SENTINEL", "SENTINELS", name),
    ]);
    const [id, replicas, sentinels] = await withDeadline(asked, ANSWERS_WITHIN_MS, redisUnavailable);
    return { id: String(id), address, replicas: fieldsOf(replicas), sentinels: fieldsOf(sentinels) };
  }

  /** Later connections use the sentinels that are there now. Those that `REDIS_URL` names stay: a name can lead elsewhere tomorrow. */
  #renew(answers: readonly Answer[]): void {
    this.#ids = [...new Set([...answers.map(({ id }) => id), ...namedBy(answers)])];
    const named = answers
      .flatMap(({ sentinels }) => sentinels)
      .filter(isUp)
      .map(addressIn);
    const wanted = new Map(
      [...this.#configured, ...answers.map(({ address }) => address), ...named].map((it) => [
        addressName(it),
        it,
      ]),
    );
    for (const [name, { client }] of this.#clients) {
      if (wanted.has(name)) continue;
      client.disconnect();
      this.#clients.delete(name);
    }
    for (const address of wanted.values()) this.#open(address);
    this.#options.sentinels?.splice(0, Number.POSITIVE_INFINITY, ...wanted.values());
  }

  #open(address: SentinelAddress): void {
    const name = addressName(address);
    if (!this.#clients.has(name))
      this.#clients.set(name, { address, client: sentinelClient(this.#options, address) });
  }
}

/** Whether all sentinels have answered that any of them knows. */
function areAll(answers: readonly Answer[]): boolean {
  const ids = new Set(answers.map(({ id }) => id));
  return answers.length > 0 && namedBy(answers).every((id) => ids.has(id));
}

function namedBy(answers: readonly Answer[]): string[] {
  return answers.flatMap(({ sentinels }) => sentinels.map((sentinel) => sentinel.get("runid") ?? ""));
}

function isUp(sentinel: Fields): boolean {
  return !/s_down|disconnected/.test(sentinel.get("flags") ?? "");
}

function addressIn(sentinel: Fields): SentinelAddress {
  return { host: sentinel.get("ip") ?? "", port: Number(sentinel.get("port")) };
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

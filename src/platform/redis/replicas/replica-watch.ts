import { Redis } from "ioredis";
import { ageOf, type Moment, momentNow } from "../../lib/moment.ts";
import { oneAtATime } from "../../lib/one-at-a-time.ts";
import { addressOf } from "../cluster/cluster-node.ts";
import { kindOf, type RedisConnection, serversOf } from "../connection.ts";
import { type Info, parseInfo, readInfo } from "../fitness/info.ts";
import { replicasInCluster } from "./cluster-replicas.ts";
import { demandOf, promotableCount, type Replicas, type Unconfirmed, unconfirmedBy } from "./replicas.ts";
import { SentinelWatch } from "./sentinel-watch.ts";

/** What is known of a master's replicas is believed for as long, as every setting is. */
const BELIEVED_MS = 5_000;
const REFRESHED_WITHIN_MS = 300;

/** What was seen of one master. */
interface Seen {
  readonly address: string;
  readonly replicas: Replicas;
  readonly seenAt: Moment;
  /** How many could be promoted. */
  readonly promotable: number;
  /** How many replicas a write waits for, so that all that must confirm have. */
  wanted: number;
}

/** Watches which replicas of each master could be promoted. */
export class ReplicaWatch {
  readonly #client: RedisConnection;
  /** By the id of the master's history, which changes with each promotion and restart. */
  readonly #seen = new Map<string, Seen>();
  #sentinels: SentinelWatch | undefined;
  readonly #readAll = oneAtATime(async () => {
    await Promise.allSettled(
      serversOf(this.#client).map(async (server) => this.read(server, await readInfo(server))),
    );
  });

  constructor(client: RedisConnection) {
    this.#client = client;
    client.on("end", () => {
      this.#sentinels?.stop();
      this.#sentinels = undefined;
    });
  }

  /**
   * @param info of this server
   * @returns undefined where Redis does not say
   * @throws HoldfastError `STORE_UNAVAILABLE` if no sentinel has ever said it
   */
  async read(server: Redis, info: Info): Promise<Replicas | undefined> {
    const seenAt = momentNow();
    const replicas = await this.#ask(server);
    const history = info.get("master_replid") ?? "";
    if (replicas === undefined || info.get("role") !== "master") return replicas;
    for (const [id, seen] of this.#seen) if (seen.address === addressOf(server)) this.#seen.delete(id);
    const { wanted } = demandOf(replicas, info);
    const promotable = promotableCount(replicas, info);
    this.#seen.set(history, { address: addressOf(server), replicas, seenAt, promotable, wanted });
    return replicas;
  }

  /** How many replicas could be promoted, of the master that has most of them. */
  get most(): number {
    return Math.max(0, ...[...this.#seen.values()].map(({ promotable }) => promotable));
  }

  /** How many replicas a write to this master waits for; where nobody knows, as many as to any. */
  wantedAt(address: string): number {
    return [...this.#seen.values()].find((seen) => seen.address === address)?.wanted ?? this.most;
  }

  /**
   * @param text the reply to `INFO replication`, right behind the write and its `WAIT`
   * @param reached what `WAIT` replied
   * @returns undefined if all replicas that could be promoted have the write
   */
  async unconfirmed(text: string, reached: number): Promise<Unconfirmed | undefined> {
    const info = parseInfo(text);
    const seen = this.#believed(info) ?? (await this.#readAgain(info));
    if (seen === undefined || info.get("role") !== "master") return { reached, wanted: this.most, away: [] };
    seen.wanted = demandOf(seen.replicas, info).wanted;
    return unconfirmedBy(seen.replicas, info, reached);
  }

  /** The ids of the sentinels that are known. */
  async sentinelIds(): Promise<readonly string[]> {
    await Promise.all(serversOf(this.#client).map((server) => this.#ask(server)));
    return this.#sentinels?.ids ?? [];
  }

  #believed(info: Info): Seen | undefined {
    const seen = this.#seen.get(info.get("master_replid") ?? "");
    return seen !== undefined && ageOf(seen.seenAt) <= BELIEVED_MS ? seen : undefined;
  }

  async #readAgain(info: Info): Promise<Seen | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, REFRESHED_WITHIN_MS);
    });
    await Promise.race([this.#readAll(), late]);
    clearTimeout(timer);
    return this.#believed(info);
  }

  async #ask(server: Redis): Promise<Replicas | undefined> {
    const kind = kindOf(this.#client);
    if (kind === "cluster") return await replicasInCluster(server);
    if (kind === "server" || !(this.#client instanceof Redis))
      return { promotable: new Set(), others: new Set() };
    this.#sentinels ??= new SentinelWatch(this.#client.options);
    return await this.#sentinels.look();
  }
}

const watches = new WeakMap<RedisConnection, ReplicaWatch>();

/** The watch of a connection, which ends with it. */
export function replicasOf(client: RedisConnection): ReplicaWatch {
  const known = watches.get(client);
  if (known !== undefined) return known;
  const watch = new ReplicaWatch(client);
  watches.set(client, watch);
  return watch;
}

import type { Durability } from "../../config/variables.ts";
import type { HoldfastError } from "../../errors/holdfast-error.ts";
import type { RedisConnection } from "../connection.ts";
import { redisUnavailable } from "../redis-errors.ts";
import type { RedisCommand } from "../script.ts";
import { type ReplicaWatch, replicasOf } from "./replica-watch.ts";
import type { Unconfirmed } from "./replicas.ts";

/** How the writes to one master are confirmed. */
export interface Confirmation {
  /** The commands that follow the writes on their connection. @param master its `host:port` in a cluster */
  commands(master: string, waitMs: number): RedisCommand[];
  /** @returns why the writes are not confirmed by what those commands replied; undefined if they are */
  unconfirmed(replies: readonly unknown[]): Promise<HoldfastError | undefined>;
}

/** By as many replicas as a person has named, whichever they are; where nobody has, by all that could be promoted. */
export function confirmationOf(
  client: RedisConnection,
  { replicas, isDefault }: Extract<Durability, { level: "replica" }>,
): Confirmation {
  return isDefault ? byAllPromotable(replicasOf(client)) : byCount(replicas);
}

function byCount(wanted: number): Confirmation {
  return {
    commands: (_, waitMs) => [["wait", wanted, waitMs]],
    async unconfirmed([answer]) {
      const reached = numberIn(answer);
      return reached >= wanted ? undefined : replicasMissing({ reached, wanted, away: [] });
    },
  };
}

function byAllPromotable(watch: ReplicaWatch): Confirmation {
  return {
    commands: (master, waitMs) => [
      ["wait", watch.wantedAt(master), waitMs],
      ["info", "replication"],
    ],
    async unconfirmed([answer, info]) {
      const reached = numberIn(answer);
      const found =
        typeof info === "string"
          ? await watch.unconfirmed(info, reached)
          : { reached, wanted: watch.most, away: [] };
      return found && replicasMissing(found);
    },
  };
}

function numberIn(reply: unknown): number {
  return typeof reply === "number" ? reply : 0;
}

/** Redis has the write, or may have it; too few replicas confirmed it in time. */
function replicasMissing({ reached, wanted, away }: Unconfirmed): HoldfastError {
  const replicas = wanted === 1 ? "replica" : "replicas";
  const missing = away.length === 0 ? "" : "; one that could be promoted is away";
  return redisUnavailable(undefined, `${reached} of ${wanted} ${replicas} confirmed in time${missing}`);
}

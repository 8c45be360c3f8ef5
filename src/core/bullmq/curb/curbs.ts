import { integer } from "../../../platform/redis/reply-shape.ts";
import { loadScript } from "../../../platform/redis/script.ts";
import { reasonAssociatedData } from "../../job/associated-data.ts";
import type { Partitions } from "../queue-control.ts";
import { decryptedOrWhyNot } from "../readable.ts";
import type { QueueStore } from "../store/queue-store.ts";
import { type CurbOf, curbName, namedBy } from "./curb-name.ts";

/** How jobs of one type or key are held back, by whom and why. */
export interface NewCurb {
  readonly reason: string;
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** How many may run at a time; 0: none. In a queue with partitions: in each. */
  readonly limit: number;
}

export type Curb = NewCurb & {
  readonly type: string | null;
  readonly key: string | null;
  /** How many jobs it holds back. */
  readonly held: number;
};

const script = loadScript(import.meta.url, "set-curb.lua", integer);

/**
 * Curbs a type or a key, or lets it go.
 *
 * @param seen since when it was curbed, in milliseconds since 1970; 0: not at all; "": whatever it is
 * @returns whether it was as seen: if not, nothing is changed
 */
export async function setCurb(
  [first, ...others]: Partitions,
  of: CurbOf,
  curb: NewCurb | undefined,
  seen: number | "" = "",
): Promise<boolean> {
  const name = curbName(of);
  const set = async (store: QueueStore, as: number | "" = "") => {
    const { client, keys } = store;
    const record = curb === undefined ? "" : recordOf(store, name, curb);
    return await script.run(client, [keys.own("curbs"), keys.meta, keys.own("curbing")], [name, record, as]);
  };
  if ((await set(first, seen)) === -1) return false;
  await Promise.all(others.map((store) => set(store)));
  return true;
}

function recordOf({ codec }: QueueStore, name: string, { limit, reason, by, since }: NewCurb): string {
  const encrypted = codec.encrypt(reason, reasonAssociatedData(`curb ${name}`));
  return `${limit} ${JSON.stringify({ reason: encrypted, by, since })}`;
}

const RECORD = /^(\d+) (.*)$/s;

/** Reads what is held back of a queue, the longest first. @throws Redis's own errors */
export async function readCurbs(partitions: Partitions): Promise<Curb[]> {
  const [{ client, keys, codec }] = partitions;
  const records = Object.entries(await client.hgetall(keys.own("curbs")));
  const curbs = records.map(async ([name, record]) => {
    const [, limit = "0", json = "{}"] = RECORD.exec(record) ?? [];
    const { reason = "", by = "", since = 0 } = JSON.parse(json) as Partial<NewCurb>;
    return {
      ...namedBy(name),
      limit: Number(limit),
      reason: decryptedOrWhyNot(() => codec.decrypt(reason, reasonAssociatedData(`curb ${name}`))),
      by,
      since,
      held: await countHeld(partitions, name),
    };
  });
  return (await Promise.all(curbs)).sort((a, b) => a.since - b.since);
}

/** As far as claims have met them: the others still wait in line. */
async function countHeld(partitions: Partitions, name: string): Promise<number> {
  const counts = partitions.map(({ client, keys }) => client.zcount(keys.own(`curb:${name}`), "(0", "+inf"));
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

import { integer } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { decryptedOrWhyNot } from "../bullmq/readable.ts";
import type { QueueStore } from "../bullmq/store/queue-store.ts";
import { reasonAssociatedData } from "../job/associated-data.ts";

export const markKinds = [
  "started",
  "paused",
  "resumed",
  "limited",
  "retried",
  "cancelled",
  "deleted",
] as const;
export type MarkKind = (typeof markKinds)[number];

/** Something that a person or a deploy did to a queue, for charts. Who did what, exactly, is in the audit log. */
export interface Mark {
  readonly kind: MarkKind;
  /** In a few words. */
  readonly text: string;
  readonly by: string;
}

const KEPT = 500;
const TEXT_MAX = 200;
/** A wave of restarts is one mark, and so is an act in many steps. */
const SAME_WITHIN_MS: Readonly<Partial<Record<MarkKind, number>>> = {
  started: 60_000,
  retried: 60_000,
  cancelled: 60_000,
  deleted: 60_000,
};

const script = loadScript(import.meta.url, "write-mark.lua", integer);

/** Never fails: what is marked has happened. */
export async function addMark({ client, keys, codec }: QueueStore, { kind, text, by }: Mark): Promise<void> {
  const coded = codec.encrypt(text.slice(0, TEXT_MAX), reasonAssociatedData(`mark ${kind}`));
  const args = [kind, coded, by, SAME_WITHIN_MS[kind] ?? 0, KEPT];
  await script.run(client, [keys.own("history:marks")], args).catch(() => {});
}

/** @param from milliseconds since 1970, by Redis's clock, as in what it returns @returns the oldest first */
export async function readMarks(
  { client, keys, codec }: QueueStore,
  from: number,
  to: number,
): Promise<(Mark & { readonly at: number })[]> {
  const entries = await client.xrange(keys.own("history:marks"), from, to);
  return entries.flatMap(([id, fields]) => {
    const named = Object.fromEntries(
      fields.flatMap((name, at) => (at % 2 === 0 ? [[name, fields[at + 1]]] : [])),
    );
    const field = (name: string): string => named[name] ?? "";
    const kind = markKinds.find((known) => known === field("kind"));
    const at = Number(id.slice(0, id.indexOf("-")));
    if (kind === undefined) return [];
    // Earlier versions wrote a plain `text`.
    const text =
      "coded" in named
        ? decryptedOrWhyNot(() => codec.decrypt(field("coded"), reasonAssociatedData(`mark ${kind}`)))
        : field("text");
    return [{ at, kind, text, by: field("by") }];
  });
}

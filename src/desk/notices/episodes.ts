import { z } from "zod";
import { type NoticeKind, noticeKinds } from "../../roles/notices/feature.ts";
import { type NoticeStage, noticeStages } from "../../roles/notices/notice.ts";

/** Something that needs a person, as one look has found it. */
export interface Condition {
  readonly kind: NoticeKind;
  /** What it is about; a notice is about one subject. */
  readonly subject: string;
  readonly count: number;
  /** Higher if it is more than before: a newer doubt, a doubled number. */
  readonly mark: number;
  readonly title: string;
  readonly text: string;
}

/** What one look has found. */
export interface NoticeLook {
  readonly found: readonly Condition[];
  /** What could not be read now: nobody knows whether it is over. */
  readonly unread: readonly NoticeKind[];
}

const shownSchema = z.object({ count: z.int(), title: z.string(), text: z.string() });

const dueSchema = shownSchema.extend({
  stage: z.enum(noticeStages),
  /** Milliseconds since 1970. */
  at: z.number(),
  mark: z.number(),
  /** Until then one process is at it. */
  leasedUntil: z.number(),
});

const episodeSchema = shownSchema.extend({
  kind: z.enum(noticeKinds),
  subject: z.string(),
  mark: z.number(),
  /** When it was first found, and last. */
  since: z.number(),
  seenAt: z.number(),
  /** What was told last. */
  told: z.object({ stage: z.enum(noticeStages), at: z.number(), mark: z.number() }).nullable(),
  /** What is to be told, until somebody has. */
  due: dueSchema.nullable(),
});
/** A condition from when it is first found until it is over. All APIs share the list of them, which is in Redis. */
export type Episode = Readonly<z.output<typeof episodeSchema>>;
export type Due = NonNullable<Episode["due"]>;

/** What another version wrote counts as nothing: what lasts is found anew. */
export function parseEpisodes(json: string): readonly Episode[] {
  if (json === "") return [];
  try {
    return z.array(episodeSchema).parse(JSON.parse(json));
  } catch {
    return [];
  }
}

/** How long things take, in milliseconds. All are made of the length of a bucket. */
export interface Pace {
  readonly bucketMs: number;
  readonly lookMs: number;
  /** From when something is found to when it is told: what comes in the same moment is one notice. */
  readonly gatherMs: number;
  /** After so long without it, it is over. */
  readonly quietMs: number;
  /** How long one process has for telling; then another does it. */
  readonly leaseMs: number;
}

const LONGEST_LOOK_MS = 10_000;
const SHORTEST_LOOK_MS = 100;

export function noticePace(bucketMs: number): Pace {
  const lookMs = Math.min(LONGEST_LOOK_MS, Math.max(SHORTEST_LOOK_MS, bucketMs / 30));
  return { bucketMs, lookMs, gatherMs: lookMs, quietMs: 3 * lookMs, leaseMs: 2 * lookMs + 5_000 };
}

const DAY_MS = 24 * 60 * 60_000;

/**
 * What the list of episodes is after a look, and which of them this process is to tell now. The same list, look and time always give the
 * same answer: whoever stores it first has decided.
 */
export function afterLook(
  episodes: readonly Episode[],
  { found, unread }: NoticeLook,
  now: number,
  pace: Pace,
): { readonly episodes: readonly Episode[]; readonly mine: readonly Episode[] } {
  const known = episodes.map((episode) => {
    const condition = found.find((one) => isSame(one, episode));
    if (condition !== undefined) return seen(episode, condition, now);
    return unread.includes(episode.kind) && !hasEnded(episode) ? { ...episode, seenAt: now } : episode;
  });
  const added = found
    .filter((condition) => !episodes.some((episode) => isSame(condition, episode)))
    .map((condition) => begun(condition, now));
  const mine: Episode[] = [];
  const after = [...known, ...added]
    .map((episode) => withDue(episode, now, pace))
    .filter((episode) => !isForgotten(episode, now, pace))
    .map((episode) => {
      if (episode.due === null || episode.due.leasedUntil > now) return episode;
      const leased = { ...episode, due: { ...episode.due, leasedUntil: now + pace.leaseMs } };
      mine.push(leased);
      return leased;
    });
  return { episodes: after, mine };
}

/** The list after one of its episodes was told. */
export function afterTelling(episodes: readonly Episode[], told: Episode): readonly Episode[] {
  const { due } = told;
  if (due === null) return episodes;
  return episodes.map((episode) =>
    isSame(episode, told) && episode.due?.at === due.at && episode.due.stage === due.stage
      ? { ...episode, due: null, told: { stage: due.stage, at: due.at, mark: due.mark } }
      : episode,
  );
}

function isSame(a: Pick<Condition, "kind" | "subject">, b: Pick<Condition, "kind" | "subject">): boolean {
  return a.kind === b.kind && a.subject === b.subject;
}

function begun({ kind, subject, mark, ...shown }: Condition, now: number): Episode {
  return { kind, subject, mark, ...shown, since: now, seenAt: now, told: null, due: null };
}

function isEnd(stage: NoticeStage): boolean {
  return stage === "over" || stage === "passed";
}

/** Whether its end was told, and it did not come again. */
function hasEnded({ told, due, seenAt }: Episode): boolean {
  return due === null && told !== null && isEnd(told.stage) && seenAt <= told.at;
}

/** One that has ended begins anew. */
function seen(episode: Episode, { mark, count, title, text }: Condition, now: number): Episode {
  return {
    ...episode,
    mark,
    count,
    title,
    text,
    seenAt: now,
    since: hasEnded(episode) ? now : episode.since,
  };
}

function withDue(episode: Episode, now: number, pace: Pace): Episode {
  if (episode.due !== null) return episode;
  const stage = stageDue(episode, now, pace);
  if (stage === undefined) return episode;
  const { count, title, text, mark } = episode;
  return { ...episode, due: { stage, at: now, count, title, text, mark, leasedUntil: 0 } };
}

function stageDue(episode: Episode, now: number, pace: Pace): NoticeStage | undefined {
  const { told, since, seenAt, mark } = episode;
  if (hasEnded(episode)) return undefined;
  const isQuiet = now - seenAt >= pace.quietMs;
  const isOpen = told !== null && !isEnd(told.stage);
  if (isOpen && isQuiet) return "over";
  if (told !== null && bucketOf(now, pace) <= bucketOf(told.at, pace)) return undefined;
  if (isOpen) {
    if (mark > told.mark) return "grew";
    return now - told.at >= DAY_MS ? "lasts" : undefined;
  }
  if (now - since < pace.gatherMs) return undefined;
  return isQuiet ? "passed" : "began";
}

function bucketOf(at: number, { bucketMs }: Pace): number {
  return Math.floor(at / bucketMs);
}

/** An end is kept for the rest of its bucket: what comes again in there waits for the next one. */
function isForgotten(episode: Episode, now: number, pace: Pace): boolean {
  return hasEnded(episode) && bucketOf(now, pace) > bucketOf(episode.told?.at ?? now, pace);
}

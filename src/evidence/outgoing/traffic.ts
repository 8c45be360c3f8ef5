import { whatItDid } from "../seen.ts";
import { type Departure, type Line, lines, type Sender } from "./departure.ts";
import type { OutgoingRecord } from "./outgoing-record.ts";
import { haveCommonPeer, haveHost } from "./peers.ts";

/** Requests over HTTP that have neither an answer nor an end, of all contexts. */
const open = new Set<Departure>();

/** What ended without an answer. */
interface Lost {
  readonly at: number;
  /** When it was written to last, where that decides: an answer before the end may have been another's. */
  readonly writtenAt?: number | undefined;
  readonly peers: readonly string[];
  /** Of the record of the effect that sent it; the record itself would keep its sockets in memory. */
  readonly of: object | undefined;
}
let lost: Lost[] = [];
const LOST_MAX = 1_000;
/** What was lost before is no longer kept. */
let keptSince = Number.NEGATIVE_INFINITY;

/** Without the request itself, which would keep its socket and its answer in memory. */
type AnsweredStray = Pick<Departure, "begun" | "peers" | "host" | "method" | "sent" | "status" | "ended">;

/** Requests of no running effect that were answered, the latest last. A queue or a bound client may have sent them for one. */
let answeredStrays: AnsweredStray[] = [];
/** Those that began before are no longer kept. */
let straysKeptSince = Number.NEGATIVE_INFINITY;

/** When each way out that cannot be followed was last used outside of all running effects, by its name; of UDP also by its host. */
const strayUses = new Map<string, { readonly at: number; readonly host: string | undefined }>();
const STRAY_MAX = 1_000;

export function noteBegun(request: Departure): void {
  open.add(request);
}

/** Called when a request has an answer, or an end. */
export function noteOver(request: Departure): void {
  if (!open.delete(request)) return;
  if (request.isLost) noteLost({ peers: request.peers, of: request.record?.identity });
  else if (isOfNoEffect(request.record) && request.isAnswered) noteStray(request);
}

function isOfNoEffect(record: Sender | undefined): boolean {
  return record?.isRunning !== true;
}

function noteStray(request: Departure): void {
  const { begun, peers, host, method, sent, status, ended } = request;
  answeredStrays.push({ begun, peers, host, method, sent, status, ended });
  if (answeredStrays.length < 2 * LOST_MAX) return;
  straysKeptSince = answeredStrays[LOST_MAX - 1]?.begun ?? straysKeptSince;
  answeredStrays = answeredStrays.slice(LOST_MAX);
}

export function noteClosed(line: Line): void {
  const { use, strayAt } = line;
  if (use?.isRequest === true) {
    // Requests say themselves how they ended, some a moment later, and those that became something else never.
    setImmediate(() => {
      if (use.line === line && use.isUnderWay) use.end("closed");
      noteOver(use);
    });
    return;
  }
  use?.end(line.ended ?? "closed");
  const peers = line.peers;
  if (line.isOneWay) return;
  if (line.isLost) noteLost({ peers, of: line.isStray ? undefined : use?.record?.identity });
  else if (line.isOpen && !line.isEndedHere && strayAt !== undefined)
    noteLost({ peers, of: undefined, writtenAt: strayAt });
}

function noteLost(one: Omit<Lost, "at">): void {
  lost.push({ at: performance.now(), ...one });
  if (lost.length < 2 * LOST_MAX) return;
  keptSince = lost[LOST_MAX - 1]?.at ?? keptSince;
  lost = lost.slice(LOST_MAX);
}

/** Something left on a way that cannot be followed. @param host of whom it reaches, where that can be told */
export function noteUnfollowed(way: string, record: Sender | undefined, host?: string): void {
  if (record !== undefined) {
    record.unfollowed ??= way;
    return;
  }
  const key = host === undefined ? way : `${way} ${host}`;
  strayUses.delete(key);
  strayUses.set(key, { at: performance.now(), host });
  const [oldest] = strayUses.size > STRAY_MAX ? strayUses.keys() : [];
  if (oldest !== undefined) strayUses.delete(oldest);
}

/**
 * What speaks against it that an effect did nothing, of all that the process did since the effect began; undefined if nothing does. Other running
 * effects do not, whose requests are answered or waited for.
 *
 * @param actsBy the method by which the effect acts, although others only read with it
 */
export function speaksAgainst(record: OutgoingRecord, actsBy?: "GET"): string | undefined {
  const { startedAt, peers } = record;
  if (startedAt < keptSince) return "too much was lost meanwhile to know what";
  const isOthers = (other: Sender | undefined) => other !== record;
  const isPeer = (others: readonly string[]) => others.length === 0 || haveCommonPeer(peers, others);
  const isSince = ({ at, writtenAt = at }: Lost) => Math.min(at, writtenAt) >= startedAt;
  if (lost.some((one) => isSince(one) && one.of !== record.identity && isPeer(one.peers)))
    return "something else that was sent there meanwhile was not answered";
  const isStrayRequest = (one: Departure) =>
    isOthers(one.record) && isOfNoEffect(one.record) && one.isUnderWay;
  const isStrayLine = (line: Line) =>
    isLineUnderWay(line) && (line.isStray || (isOthers(line.use?.record) && isOfNoEffect(line.use?.record)));
  const strays = [...[...open].filter(isStrayRequest), ...[...lines].filter(isStrayLine)];
  if (strays.some((one) => isPeer(one.peers))) return "something of no running effect is under way there";
  if (straysKeptSince > startedAt) return "too much was sent outside of all effects to know what";
  const hasActed = (one: AnsweredStray) => one.begun >= startedAt && whatItDid(one, actsBy) === "acted";
  if (answeredStrays.some((one) => hasActed(one) && isPeer(one.peers)))
    return "something of no running effect was sent there meanwhile";
  return strayUseSince(startedAt, peers);
}

/** Whether something may still leave on it; of requests over HTTP more is known. */
function isLineUnderWay(line: Line): boolean {
  const { use, ended, isOneWay, isOpen, isOfUndici, isUnanswered } = line;
  if (ended !== null || isOneWay || use?.isRequest === true) return false;
  return isOpen ? isUnanswered : !isOfUndici;
}

function strayUseSince(since: number, peers: readonly string[]): string | undefined {
  for (const [way, { at, host }] of strayUses)
    if (at >= since && (host === undefined || haveHost(peers, host)))
      return `outside of all effects, the process used ${way}, which cannot be followed`;
  return undefined;
}

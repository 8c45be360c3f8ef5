import type { Classify } from "../classifier.ts";
import { connection } from "../classifier.ts";
import { grpc } from "../grpc.ts";
import { http } from "../http.ts";
import { aws, octokit, openai, stripe } from "../providers.ts";
import { smtp } from "../smtp.ts";
import { sql } from "../sql.ts";
import { disagreement } from "./agreement.ts";
import type { Outgoing } from "./outgoing.ts";
import type { OutgoingRecord } from "./outgoing-record.ts";

/** What a declaration lacked: with this classifier the effect would have been not done. */
export interface Hint {
  /** Its name in `holdfast/evidence`. */
  readonly classify: string;
  /** What it would have read. */
  readonly why: string;
}

/** In this order: the first that proves it is the one that knows most of the library. */
const ofLibraries: readonly (readonly [name: string, classify: Classify])[] = [
  ["stripe", stripe],
  ["octokit", octokit],
  ["openai", openai],
  ["aws", aws],
  ["smtp", smtp],
  ["sql", sql],
  ["grpc", grpc],
  ["http", http],
];

/** The classifier that would have proved that a doubt is none, if one would. */
export function hintFor(thrown: unknown, record: OutgoingRecord): Hint | undefined {
  const seen = record.seen();
  const { outgoing } = seen;
  if (connection(thrown, seen) === "not-done") {
    if (disagreement(record) !== undefined) return undefined;
    const isRefused = outgoing.every(({ ended }) => ended === "ECONNREFUSED");
    const how = isRefused ? "refused" : "no connection made";
    return { classify: ofConnection(outgoing), why: `${how}, nothing seen sent` };
  }
  const proving = ofLibraries.find(([, classify]) => isNotDone(classify(thrown, seen)));
  if (proving === undefined || disagreement(record) !== undefined) return undefined;
  const status = outgoing.findLast((one) => one.status !== null)?.status ?? 200;
  return { classify: proving[0], why: status >= 400 ? `answered ${status}` : "refused by the server" };
}

function isNotDone(verdict: ReturnType<Classify>): boolean {
  return verdict !== undefined && verdict !== "unknown";
}

const PORTS: readonly (readonly [name: string, ports: RegExp])[] = [
  ["smtp", /:(25|465|587|2525|1025)$/],
  ["sql", /:(5432|3306)$/],
];

/** A connection that was never made looks the same for each library; its place tells what it was to be. */
function ofConnection(outgoing: readonly Outgoing[]): string {
  if (outgoing.some(({ method }) => method !== null)) return "http";
  const [known] = PORTS.find(([, ports]) => outgoing.every(({ host }) => ports.test(host))) ?? [];
  return known ?? "connection";
}

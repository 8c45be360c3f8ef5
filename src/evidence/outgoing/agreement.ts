import { whatItDid } from "../seen.ts";
import type { OutgoingRecord } from "./outgoing-record.ts";
import { speaksAgainst } from "./traffic.ts";

/**
 * Why the record does not agree that an effect did nothing; undefined where it does. It must show the answer that was read, and nothing but that:
 * everything that was sent was refused, or it is one act that was answered.
 *
 * @param actsBy the method by which the effect acts, although others only read with it
 */
export function disagreement(record: OutgoingRecord, actsBy?: "GET"): string | undefined {
  if (record.unfollowed !== undefined) return `it used ${record.unfollowed}, which cannot be followed`;
  if (!record.isComplete) return "it sent more than is kept";
  const departures = record.telling();
  if (departures.length === 0) return "nothing was seen of it";
  if (record.isUnderWay()) return "something of it is under way";
  const did = departures.map((one) => ({ one, what: whatItDid(one.shown(), actsBy) }));
  const acts = did.filter(({ what }) => what === "acted");
  const isAlone = acts.length === 0 || (acts.length === 1 && did.every(({ what }) => what !== "refused"));
  if (!isAlone) return "it did more than one thing";
  if (acts.some(({ one }) => !one.isAnswered)) return "what it sent was not answered";
  return speaksAgainst(record, actsBy);
}

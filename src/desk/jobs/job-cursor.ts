import { malformed } from "../../platform/lib/parse-json.ts";
import type { JobList, ListPosition } from "./find-jobs.ts";

/** A position in several lists that are read one after the other. */
export interface Position {
  /** Index of the list. */
  readonly list: number;
  readonly at: ListPosition;
}

export function formatCursor(lists: readonly JobList[], { list, at }: Position): string {
  const { offset, anchor, score } = at;
  return Buffer.from(JSON.stringify([nameOf(lists[list]), offset, anchor, score])).toString("base64url");
}

/** @throws HoldfastError `INVALID_REQUEST` for a text that `formatCursor` did not make of these lists */
export function parseCursor(lists: readonly JobList[], text: string): Position {
  const [name, offset, anchor, score] = fieldsIn(text);
  const list = lists.findIndex((candidate) => nameOf(candidate) === name);
  const isPosition = Number.isSafeInteger(offset) && Number(offset) >= 0 && typeof anchor === "string";
  if (list < 0 || !isPosition || typeof score !== "string" || !isScore(lists[list], score)) {
    const message = "expected the nextCursor of an earlier answer to the same query";
    throw malformed([{ pointer: "/cursor", message }]);
  }
  return { list, at: { offset: Number(offset), anchor, score } };
}

/** The waiting list has a job there. */
function isScore(list: JobList | undefined, score: string): boolean {
  const isWaiting = list !== undefined && "list" in list.of && list.of.list === "waiting";
  return (isWaiting ? /^(\S{1,128} \d{1,16} \d{1,16})?$/ : /^[\d.e+-]{0,32}$/).test(score);
}

function nameOf(list: JobList | undefined): string {
  if (list === undefined) return "";
  const { queue, of, order } = list;
  return `${queue}/${"index" in of ? of.index : of.list}${order === undefined ? "" : `/${order}`}`;
}

function fieldsIn(text: string): unknown[] {
  try {
    const fields: unknown = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    return Array.isArray(fields) ? fields : [];
  } catch {
    return [];
  }
}

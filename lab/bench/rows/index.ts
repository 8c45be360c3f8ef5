import type { Form, Row } from "../lib/row.ts";
import { growthRows } from "./growth.ts";
import { guardRows } from "./guard.ts";
import { importRows } from "./import.ts";
import { memoryRows } from "./memory.ts";
import { otherRows } from "./others.ts";
import { startRows } from "./start.ts";
import { statusRows } from "./status.ts";
import { submitRows } from "./submit.ts";
import { subscriberRows } from "./subscribers.ts";
import { workRows } from "./work.ts";

/** All rows, in the order of the report. */
export function rowsOf(form: Form): Row[] {
  return [
    submitRows,
    statusRows,
    workRows,
    guardRows,
    startRows,
    importRows,
    memoryRows,
    subscriberRows,
    otherRows,
    growthRows,
  ].flatMap((rows) => rows(form));
}

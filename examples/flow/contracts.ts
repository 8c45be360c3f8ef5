// Jobs that wait: for their turn, for a file, for other jobs.
import { defineJob } from "holdfast";
import { http } from "holdfast/evidence";
import { z } from "zod";

const ordinary = {
  result: z.strictObject({}),
  retry: { attempts: 3, backoff: { kind: "exponential", delayMs: 1_000 } },
  timeoutMs: 60_000,
} as const;

// #region fairness
const premium = new Set(["acme"]);

export const exportJob = defineJob({
  type: "export",
  queue: "exports",
  fairness: { key: ({ tenantId }) => tenantId, weight: (tenantId) => (premium.has(tenantId) ? 3 : 1) },
  payload: z.strictObject({ tenantId: z.string() }),
  ...ordinary,
});
// #endregion

export const push = defineJob({
  type: "push",
  payload: z.strictObject({ text: z.string() }),
  ...ordinary,
});

export const convert = defineJob({
  type: "convert",
  payload: z.strictObject({ file: z.string() }),
  ...ordinary,
});

export const pay = defineJob({
  type: "pay",
  payload: z.strictObject({ order: z.string(), friends: z.array(z.string()) }),
  effects: { charge: { timeoutMs: 10_000, inDoubt: "hold", classify: http } },
  ...ordinary,
});

export const ship = defineJob({
  type: "ship",
  payload: z.strictObject({ order: z.string() }),
  ...ordinary,
});

export const invite = defineJob({
  type: "invite",
  payload: z.strictObject({ friend: z.string() }),
  ...ordinary,
});

// #region flow
export const render = defineJob({
  type: "render",
  queue: "books",
  payload: z.strictObject({ chapter: z.string() }),
  ...ordinary,
  result: z.strictObject({ pages: z.int() }),
});

export const book = defineJob({
  type: "book",
  queue: "books",
  onChildFailure: "fail",
  payload: z.strictObject({ title: z.string() }),
  ...ordinary,
  result: z.strictObject({ pages: z.int() }),
});
// #endregion

import { bullmq, holdfast } from "../lib/contestants.ts";
import type { Form, Row } from "../lib/row.ts";
import { constantService, holdfastApi, inProcess, overHttp, serviceByHand } from "../lib/submitting.ts";

const IN_FLIGHT = 128;
const BATCH = 100;
const BATCHES_IN_FLIGHT = 8;

/** Submits over HTTP, compared with a hand-written service and with BullMQ without a service. */
export function submitRows(form: Form): Row[] {
  const load = { connections: IN_FLIGHT, batch: 0 };
  const overHoldfast = overHttp(holdfastApi(holdfast), load, form);
  const overExpress = overHttp(serviceByHand, load, form);
  const compared = { unit: "jobs/s", better: "higher", measure: "perSecond" } as const;
  return [
    {
      ...compared,
      name: "http-submit",
      title: `HTTP submit, unique keys, ${IN_FLIGHT} connections`,
      reach: 5,
      sides: { holdfast: overHoldfast, opponent: overExpress },
      note: "one API process each; the opponent is examples/by-hand: Express with a schema, `SET NX` keys and `queue.add`",
    },
    {
      ...compared,
      name: "floor-http",
      title: "The HTTP server alone: Fastify, which stores nothing",
      sides: { holdfast: overHttp(constantService, load, form), opponent: overExpress },
      isExtra: true,
      note: "a floor: what HTTP submit could reach here if checking, hashing and storing cost nothing",
    },
    {
      ...compared,
      name: "http-submit-bare",
      title: "HTTP submit against `queue.add` without HTTP",
      reach: 0.6,
      sides: {
        holdfast: overHoldfast,
        opponent: inProcess("BullMQ add", bullmq, { inFlight: IN_FLIGHT }, form),
      },
      note: `\`queue.add\` in a process of its own, ${IN_FLIGHT} in flight; it has no idempotency key`,
    },
    {
      ...compared,
      name: "http-batch",
      title: `\`POST /jobs/batch\` of ${BATCH} against \`addBulk\` of ${BATCH}`,
      reach: 0.8,
      sides: {
        holdfast: overHttp(
          { ...holdfastApi(holdfast), name: "Holdfast API, batches" },
          { connections: BATCHES_IN_FLIGHT, batch: BATCH },
          form,
        ),
        opponent: inProcess("BullMQ addBulk", bullmq, { inFlight: BATCHES_IN_FLIGHT, batch: BATCH }, form),
      },
      note: `${BATCHES_IN_FLIGHT} batches in flight on either side; times are of whole batches`,
    },
  ];
}

import type { Table } from "../../../test/support/report.ts";
import type { Cost } from "./cost.ts";
import type { Crowd } from "./crowd.ts";

/** A large installation, computed from what one job, one process and one connection cost. */
export interface Demand {
  readonly jobsPerMinute: number;
  readonly queues: number;
  readonly workers: number;
  readonly apis: number;
}

export const demand: Demand = { jobsPerMinute: 1_000_000, queues: 100, workers: 1_000, apis: 50 };

/** A master's processor is for more than commands: never plan to use it up. */
const BUSY_MAX = 0.5;
const CLIENTS_MAX = 10_000;

export interface Unit {
  /** Microseconds of Redis's processor for one job: submitted, run, with one effect. */
  readonly jobUs: number;
  /** Microseconds of Redis's processor a second for one queue of one worker. */
  readonly idleUsPerQueue: number;
  /** Connections of a worker: for all queues, and for each. */
  readonly connections: { readonly fixed: number; readonly perQueue: number };
  readonly connectionBytes: number;
}

export function unitOf(cost: Cost, one: Crowd, eight: Crowd, many: Crowd): Unit {
  const perQueue = (eight.connections - one.connections) / 7;
  return {
    jobUs: cost.submitUs + cost.runUs,
    idleUsPerQueue: Math.max(0, (eight.idleUs - one.idleUs) / 7),
    connections: { fixed: one.connections - perQueue, perQueue },
    connectionBytes: many.clientBytes / many.connections,
  };
}

/** What the demand takes, by what gives out first. */
export function modelTable(unit: Unit, { jobsPerMinute, queues, workers }: Demand): Table {
  const jobsASecond = jobsPerMinute / 60;
  const busy = (jobsASecond * unit.jobUs) / 1e6;
  const idleOf = (each: number) => (workers * each * unit.idleUsPerQueue) / 1e6;
  const connectionsOf = (each: number) =>
    workers * (unit.connections.fixed + each * unit.connections.perQueue);
  const few = 5;
  const rows = [
    [
      "jobs: processors of Redis",
      busy.toFixed(1),
      `${Math.ceil(busy / BUSY_MAX)} masters at ${BUSY_MAX * 100} %`,
    ],
    ...[queues, few].flatMap((each) => [
      [
        `idle polling, each worker on ${each} queues: processors`,
        idleOf(each).toFixed(1),
        `${Math.ceil(idleOf(each) / BUSY_MAX)} masters at ${BUSY_MAX * 100} %`,
      ],
      [
        `connections, each worker on ${each} queues`,
        Math.round(connectionsOf(each)).toLocaleString("en"),
        `${Math.ceil(connectionsOf(each) / CLIENTS_MAX)} masters at Redis's default of ${CLIENTS_MAX.toLocaleString("en")} clients; ${Math.round((connectionsOf(each) * unit.connectionBytes) / 2 ** 20)} MiB`,
      ],
    ]),
  ];
  return { head: ["what", "needed", "which is"], rows };
}

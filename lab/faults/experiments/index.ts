import type { Experiment } from "../lib/experiment.ts";
import { killWorker } from "./01-kill-worker.ts";
import { stopWorker } from "./02-stop-worker.ts";
import { badNetwork } from "./04-bad-network.ts";
import { killStore } from "./05-kill-store.ts";
import { allAtOnce } from "./06-all-at-once.ts";
import { damagedLog } from "./07-damaged-log.ts";
import { outage } from "./08-outage.ts";
import { fullMemory } from "./09-full-memory.ts";
import { fullDisk } from "./10-full-disk.ts";
import { forgetfulStore } from "./11-forgetful-store.ts";
import { time } from "./13-time.ts";
import { rollingRestart } from "./15-rolling-restart.ts";
import { poisonJob } from "./16-poison-job.ts";
import { failover } from "./17-failover.ts";
import { changedQueue } from "./18-changed-queue.ts";
import { wrongClocks } from "./20-wrong-clocks.ts";
import { blockedLoop } from "./21-blocked-loop.ts";
import { corruptValues } from "./26-corrupt-values.ts";
import { cluster } from "./27-cluster.ts";
import { partitions } from "./28-partitions.ts";
import { lanes } from "./29-lanes.ts";
import { flowControl } from "./30-flow-control.ts";
import { downstream } from "./31-downstream.ts";
import { changedSettings } from "./32-changed-settings.ts";
import { acts } from "./34-acts.ts";
import { sharedChildren } from "./35-shared-children.ts";
import { encryption } from "./36-encryption.ts";
import { interruptedMoves } from "./38-interrupted-moves.ts";
import { split } from "./39-split.ts";
import { storedSchedules } from "./40-stored-schedules.ts";
import { rate } from "./41-rate.ts";
import { debounce } from "./42-debounce.ts";
import { budget } from "./43-budget.ts";
import { outbox } from "./44-outbox.ts";
import { databaseEffect } from "./45-database-effect.ts";
import { splitReplicas } from "./47-split-replicas.ts";
import { guard } from "./48-guard.ts";
import { notices } from "./50-notices.ts";
import { sleepers } from "./51-sleepers.ts";
import { replacedNodes } from "./52-replaced-nodes.ts";

/** All experiments, in order of their numbers. */
export const experiments: readonly Experiment[] = [
  killWorker,
  stopWorker,
  badNetwork,
  killStore,
  allAtOnce,
  damagedLog,
  outage,
  fullMemory,
  fullDisk,
  forgetfulStore,
  time,
  rollingRestart,
  poisonJob,
  failover,
  changedQueue,
  wrongClocks,
  blockedLoop,
  corruptValues,
  cluster,
  partitions,
  lanes,
  flowControl,
  downstream,
  changedSettings,
  acts,
  sharedChildren,
  encryption,
  interruptedMoves,
  split,
  storedSchedules,
  rate,
  debounce,
  budget,
  outbox,
  databaseEffect,
  splitReplicas,
  guard,
  notices,
  sleepers,
  replacedNodes,
];

/** Numbers of experiments that are gone, and what finds the same faults. */
export const removed: Readonly<Record<number, string>> = {
  3: "the exploration's scenario submit loses each command and each reply of a submission",
  12: "the exploration's scenarios submit and submit-other have each order of submissions of one key, and a test sends 200 at once from every edge",
  14: "a key outlives its job, which a test shows: no order of steps is in it",
  19: "the exploration's scenario retention lets it pass between any two steps",
  22: "the exploration's scenario cancel cancels between any two steps",
  23: "the exploration refuses each command of each scenario, and the tests of stuck doubts have Redis's own errors",
  24: "the exploration's scenarios operators, operator and cancel have each act between any two steps, and lose whoever asked",
  25: "tests call an effect twice, inside itself and with 1,000 indexes, and have probes that lie: no order of steps is in it",
  33: "the exploration's scenario spent lets the retention pass, sweeps and retries between any two steps, and a test has an act on many",
  37: "the exploration's scenario early-look looks while a run is under way",
  46: "the table of truth has a call that acts beside one that is refused for each library, shared client, context, process and thread, with the same control",
};

import type * as Client from "../../../src/edges/client/index.ts";
import type * as Holdfast from "../../../src/index.ts";
import type * as Worker from "../../../src/worker.ts";
import { built } from "./built.ts";

export const { createProducer, defineConfig, defineJob, NotDoneError, SnoozeError } =
  await built<typeof Holdfast>("index");
export const { startWorker } = await built<typeof Worker>("worker");
export const { createClient } = await built<typeof Client>("edges/client/index");

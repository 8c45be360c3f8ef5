import { startWorker } from "holdfast";
import type { onFaultPoint } from "../../../src/observe/fault-points.ts";
import application from "./application.ts";
import { live } from "./live.ts";
import { pass } from "./strike.ts";
import { openTrace } from "./trace.ts";

openTrace();
// The hook is no part of the public surface, so it is taken from the build by its path.
const hooks: { onFaultPoint: typeof onFaultPoint } = await import(
  new URL("../dist/observe/fault-points.js", import.meta.url).href
);
hooks.onFaultPoint(pass);
await live(() => startWorker(application));

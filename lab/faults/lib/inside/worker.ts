import { startWorker } from "holdfast/worker";
import type { onFailpoint } from "../../../../src/core/failpoints.ts";
import application from "./application.ts";
import { pass } from "./injection.ts";
import { live } from "./live.ts";
import { openTrace } from "./trace.ts";

openTrace();
// The hook is not public, so import it from the build by its path.
const hooks: { onFailpoint: typeof onFailpoint } = await import(
  new URL("../dist/core/failpoints.js", import.meta.url).href
);
hooks.onFailpoint(pass);
await live(() => startWorker(application));

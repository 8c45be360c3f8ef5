import type { main } from "../../../../src/edges/cli/main.ts";
import { openTrace } from "./trace.ts";

/** `holdfast worker` as shipped: the event-loop watch belongs to the command, not to the library. */
openTrace();
const cli: { readonly main: typeof main } = await import(
  new URL("../dist/edges/cli/main.js", import.meta.url).href
);
await cli.main([process.execPath, "holdfast", "worker"]);

import type { main } from "../../../src/cli/main.ts";
import { openTrace } from "./trace.ts";

/** `holdfast worker` as it is shipped: what watches over a process belongs to the command, and not to the library. */
openTrace();
const cli: { readonly main: typeof main } = await import(
  new URL("../dist/cli/main.js", import.meta.url).href
);
await cli.main([process.execPath, "holdfast", "worker"]);

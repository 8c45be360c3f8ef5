import { startApi } from "holdfast/server";
import type { onFailpoint } from "../../../../src/core/failpoints.ts";
import application from "./application.ts";
import { live } from "./live.ts";

/** At which claim of a key in a former queue the process kills itself, before it adds the job. */
const lastClaim = Number(process.env.LAB_DIE_AT_CLAIM ?? 0);
let claims = 0;

if (lastClaim > 0) {
  // The hook is not public, so import it from the build by its path.
  const hooks: { onFailpoint: typeof onFailpoint } = await import(
    new URL("../dist/core/failpoints.js", import.meta.url).href
  );
  hooks.onFailpoint(async (point) => {
    if (point === "submit:claimed") claims += 1;
    if (claims < lastClaim) return;
    process.kill(process.pid, "SIGKILL");
    await new Promise(() => {});
  });
}
await live(() => startApi(application));

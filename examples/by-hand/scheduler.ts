// Submits a digest for each day. It remembers nothing: the key names the day, so any number of schedulers may run, and start again.
import { submit } from "./queue.ts";
import { clocks } from "./settings.ts";

const { DIGEST_URL: url } = process.env;

// #region tick
async function tick(): Promise<void> {
  const at = new Date(Math.floor(Date.now() / clocks.digestMs) * clocks.digestMs).toISOString();
  const { duplicate } = await submit({ type: "daily-digest", payload: { url, at }, idempotencyKey: at });
  if (!duplicate) console.log(`scheduler: submitted the digest of ${at}`);
}
// #endregion

async function tickOrReport(): Promise<void> {
  await tick().catch((error: Error) => console.error(`scheduler: ${error.message}`));
}

if (url === undefined) console.log("scheduler: DIGEST_URL names nobody to post a digest to");
else {
  await tickOrReport();
  setInterval(tickOrReport, Math.min(clocks.digestMs / 10, 60_000));
}

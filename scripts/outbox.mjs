// npm run outbox: sets up, then measures the outbox beside other queues in PostgreSQL.
import { show } from "./lib/run.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpWithServer } from "./lib/setup.mjs";

await runScript(async () => {
  await setUpWithServer();
  return await show(process.execPath, ["--import", "tsx", "lab/bench/outbox.ts", ...process.argv.slice(2)]);
});

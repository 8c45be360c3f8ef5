// npm start: sets up, then runs `holdfast up` in this process, so that signals reach it directly; with the development mailbox unless
// `SMTP_URL` names a mail server.
import path from "node:path";
import { useMailbox } from "./lib/mailbox.mjs";
import { runScript } from "./lib/script.mjs";
import { setUpToRun } from "./lib/setup.mjs";

await runScript(async () => {
  await setUpToRun();
  await useMailbox();
  process.argv = [process.execPath, path.resolve("bin/holdfast"), "up", ...process.argv.slice(2)];
  const { main } = await import("../dist/edges/cli/main.js");
  await main(process.argv);
});

// npm run dev: `holdfast up`, rebuilt and restarted whenever the code changes. If a change does not compile, it prints why and keeps
// the running service.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { build, buildIsFresh } from "./lib/build.mjs";
import { useMailbox } from "./lib/mailbox.mjs";
import { step } from "./lib/progress.mjs";
import { Failure, runScript } from "./lib/script.mjs";
import { setUpToRun } from "./lib/setup.mjs";
import { nextChange } from "./lib/watch.mjs";

const watched = { folders: ["src", "console", "jobs"], rootFiles: ["holdfast.config.ts", ".env"] };

await runScript(async () => {
  await setUpToRun();
  await useMailbox();
  let service = startService();
  let ending = false;
  const end = async () => {
    ending = true;
    await service.stop();
    process.exit(0);
  };
  process.on("SIGINT", end).on("SIGTERM", end);

  for (let change = nextChange(watched); !ending; ) {
    await change;
    change = nextChange(watched); // before the build: a change during it counts as the next one
    if (!(await builds())) continue;
    await service.stop();
    if (!ending) service = startService();
  }
});

async function builds() {
  if (buildIsFresh()) return true;
  try {
    await step("Building", build);
    return true;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    console.error(`${error.output.trimEnd()}\nThe service keeps running without this change.`);
    return false;
  }
}

/** Starts `holdfast up` in its own process group, so that Ctrl-C reaches it only once, as our SIGTERM. */
function startService() {
  const args = ["bin/holdfast", "up", ...process.argv.slice(2)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"], detached: true });
  const exited = once(child, "exit");
  let stopping = false;
  exited.then(() => {
    if (!stopping) console.log("holdfast up has ended; the next change restarts it.");
  });
  return {
    stop: async () => {
      stopping = true;
      child.kill("SIGTERM");
      await exited;
    },
  };
}

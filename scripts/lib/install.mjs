// Installs a missing program with the machine's package manager, if it needs no question answered.
import { findOnPath } from "./programs.mjs";
import { step } from "./progress.mjs";
import { capture } from "./run.mjs";
import { Failure } from "./script.mjs";

/** Keeps apt from asking, and from starting an installed server as a system service. */
const aptEnvironment = ["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "SYSTEMD_OFFLINE=1"];
const waitForOtherApt = ["-o", "DPkg::Lock::Timeout=120"];

/**
 * Makes sure that a program is installed.
 *
 * `find` returns its path or undefined; `apt` and `brew` list install arguments to try in turn; `otherwise` is the error message if
 * neither works. Returns the path.
 */
export async function ensureProgram({ name, find, apt, brew, otherwise }) {
  const found = find();
  if (found !== undefined) return found;
  const install = await findInstaller({ apt, brew });
  if (install === undefined) throw new Failure(otherwise);

  let installed;
  await step(`Installing ${name}`, async () => {
    const output = await install();
    installed = find();
    if (installed === undefined) throw new Failure(otherwise, output);
  });
  return installed;
}

async function findInstaller({ apt, brew }) {
  if (findOnPath("apt-get") !== undefined) {
    const asRoot = await findWayToRoot();
    return asRoot && (() => installWithApt(asRoot, apt));
  }
  if (findOnPath("brew") !== undefined)
    return () => runInTurn(brew.map((args) => ["brew", "install", ...args]));
  return undefined;
}

/** The words before a command that run it as root without a question, or undefined. */
async function findWayToRoot() {
  if (process.getuid?.() === 0) return [];
  if (findOnPath("sudo") === undefined) return undefined;
  const { code } = await capture("sudo", ["-n", "true"]);
  return code === 0 ? ["sudo", "-n"] : undefined;
}

async function installWithApt(asRoot, packages) {
  const aptGet = [...asRoot, "env", ...aptEnvironment, "apt-get", "--yes", ...waitForOtherApt];
  const update = await run([...aptGet, "update"]);
  const installs = packages.map((name) => [...aptGet, "install", "--no-install-recommends", name]);
  return update.output + (await runInTurn(installs));
}

/** Runs commands until one succeeds; returns their output. */
async function runInTurn(commands) {
  let printed = "";
  for (const command of commands) {
    const { code, output } = await run(command);
    printed += output;
    if (code === 0) break;
  }
  return printed;
}

function run([command, ...args]) {
  return capture(command, args);
}

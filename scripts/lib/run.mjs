// Running other programs.
import { spawn } from "node:child_process";
import { Failure } from "./script.mjs";

/** Runs a command quietly. Resolves to its exit code and all that it printed. */
export async function capture(command, args, env = {}) {
  let output = "";
  const child = start(command, args, "pipe", env);
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      output += text;
    });
  }
  return { code: await exitCodeOf(child), output };
}

/** Runs a command that prints to our terminal and asks nothing. Resolves to its exit code. */
export function show(command, args, env = {}) {
  return exitCodeOf(start(command, args, "inherit", env));
}

/** Runs a command quietly; where it fails, throws a Failure that carries what it printed. */
export async function must(command, args, failureLine) {
  const { code, output } = await capture(command, args);
  if (code !== 0) throw new Failure(failureLine, output);
}

function start(command, args, output, env) {
  return spawn(command, args, { stdio: ["ignore", output, output], env: { ...process.env, ...env } });
}

/**
 * Told to stop, we wait for the child and then die of the same signal. Ctrl-C reaches the child by itself,
 * since the terminal sends it to the whole group; SIGTERM is for us alone and is passed on.
 */
function exitCodeOf(child) {
  return new Promise((resolve, reject) => {
    let stoppedBy;
    const onSignal = (signal) => {
      stoppedBy = signal;
      if (signal === "SIGTERM") child.kill(signal);
    };
    process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
    child.once("error", (error) => {
      reject(error.code === "ENOENT" ? new Failure(`${child.spawnfile} is not installed.`) : error);
    });
    child.once("close", (code) => {
      process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
      if (stoppedBy === undefined) resolve(code ?? 1);
      else process.kill(process.pid, stoppedBy);
    });
  });
}

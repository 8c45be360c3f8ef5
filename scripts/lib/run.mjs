// Runs other programs.
import { spawn } from "node:child_process";
import { Failure } from "./script.mjs";

/** Runs a command quietly. Resolves to its exit code and output. */
export function capture(command, args, env = {}) {
  return captured(start(command, args, "pipe", env));
}

async function captured(child) {
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      output += text;
    });
  }
  return { code: await exitCodeOf(child), output };
}

/** Runs a command with our output and without input. Resolves to its exit code. */
export function show(command, args, env = {}) {
  return exitCodeOf(start(command, args, "inherit", env));
}

/** Runs a command quietly; if it fails, throws a Failure with its output. */
export async function must(command, args, failureLine) {
  const { code, output } = await capture(command, args);
  if (code !== 0) throw new Failure(failureLine, output);
}

function start(command, args, output, env) {
  return spawn(command, args, { stdio: ["ignore", output, output], env: { ...process.env, ...env } });
}

/**
 * On a signal, waits for the child and then dies of the same signal. The terminal sends Ctrl-C to the child, too; SIGTERM must be
 * passed on.
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

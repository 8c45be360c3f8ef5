import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Application } from "../../../core/job/application.ts";
import { loadHandlers } from "../../../desk/load-handlers.ts";
import { requiredVariables } from "../../../desk/required-variables.ts";
import { readEnv } from "../../../platform/config/application-env.ts";
import { childEnvironment, readSettings, requireVariables } from "../../../platform/config/settings.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { packageFile } from "../../../platform/lib/package-file.ts";
import { loadApplication } from "../load-application.ts";
import { getMailServer } from "../screen/first-screen.ts";

/** What loading the application in a process of its own has shown. */
export interface CheckedApplication {
  readonly fault?: string;
  /** The files that were loaded until then. */
  readonly files: readonly string[];
}

/** Checks the application in a new process, because a module is loaded once in a process. */
export async function checkInProcess(): Promise<CheckedApplication> {
  const child = fork(packageFile("bin/holdfast"), ["check-application"], {
    env: childEnvironment({}),
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    detached: true,
  });
  let checked: CheckedApplication = { fault: "The application ended the process that loaded it.", files: [] };
  child.on("message", (message: { readonly checked?: CheckedApplication }) => {
    if (message.checked !== undefined) checked = message.checked;
  });
  await once(child, "close");
  return checked;
}

/** Loads the application with its handlers, and sends what it found to the parent process. */
export async function checkApplication(): Promise<void> {
  const files: string[] = [];
  const fault = await faultOfApplication((url) => {
    if (url.startsWith("file:") && !url.includes("/node_modules/"))
      files.push(fileURLToPath(url.replace(/\?.*/, "")));
  });
  await new Promise<void>((sent) => {
    if (process.send === undefined) sent();
    else
      process.send({ checked: { files, ...(fault !== undefined && { fault }) } }, undefined, undefined, () =>
        sent(),
      );
  });
}

async function faultOfApplication(onImport: (url: string) => void): Promise<string | undefined> {
  try {
    const application = await loadApplication(readSettings().HOLDFAST_CONFIG, onImport);
    checkVariables(application);
    await loadHandlers(application);
    return undefined;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return [error.message, ...placeOf(error.cause)].join("\n");
  }
}

/**
 * Checks what a worker checks when it starts. Without the mail server that jobs need, the error also says how to get one.
 *
 * @throws HoldfastError `CONFIG_INVALID`
 */
export function checkVariables(application: Application): void {
  try {
    requireVariables(requiredVariables(application));
  } catch (error) {
    if (!(error instanceof HoldfastError) || !error.message.startsWith("SMTP_URL:")) throw error;
    throw new HoldfastError(
      "CONFIG_INVALID",
      `${error.message}\nTo get a mail server: ${getMailServer}`,
      error,
    );
  }
  if (application.env !== undefined) readEnv(application.env);
}

/** Where the application threw: the first lines of its stack in its own files. */
function placeOf(cause: unknown): string[] {
  if (!(cause instanceof Error)) return [];
  const frames = (cause.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  return frames.filter((line) => /file:|[/\\]/.test(line) && !/node_modules|node:/.test(line)).slice(0, 3);
}

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const checkout = fileURLToPath(new URL("../../..", import.meta.url));

/** What a program printed, and how it ended. */
export interface Ended {
  /** Undefined if it was killed: it took too long. */
  readonly code: number | undefined;
  readonly output: string;
  readonly stdout: string;
  readonly seconds: number;
}

const folders: string[] = [];
process.on("exit", removeFolders);

/** A temporary folder of somebody else's project. It is removed with this process at the latest. */
export function newFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `holdfast-${name}-`));
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** Writes a project that depends on nothing yet. */
export function writeProject(folder: string, more: object = {}): void {
  const project = { name: "somebody-elses", version: "1.0.0", private: true, license: "MIT", type: "module" };
  writeFileSync(join(folder, "package.json"), JSON.stringify({ ...project, ...more }));
}

/** Runs a program in a folder, without this process's own variables. @param ms then it is killed */
export function run(
  folder: string,
  command: string,
  args: readonly string[],
  { env = {}, ms = 300_000 }: { readonly env?: NodeJS.ProcessEnv; readonly ms?: number } = {},
): Promise<Ended> {
  const begun = performance.now();
  const own = { PATH: process.env.PATH, HOME: process.env.HOME, ...env };
  return new Promise((resolve) => {
    execFile(
      command,
      args,
      { cwd: folder, env: own, timeout: ms, killSignal: "SIGKILL", maxBuffer: 2 ** 26 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : undefined;
        const seconds = (performance.now() - begun) / 1_000;
        resolve({ code, output: `${stdout}${stderr}`, stdout, seconds });
      },
    );
  });
}

/** @throws Error with its output unless it ends with 0 */
export async function must(...call: Parameters<typeof run>): Promise<Ended> {
  const ended = await run(...call);
  const [, command, args] = call;
  if (ended.code === 0) return ended;
  throw new Error(`${command} ${args.join(" ")} ended with ${ended.code ?? "a signal"}:\n${ended.output}`);
}

/** Packs the checkout as it is built. @returns the path of the tarball, and its sizes in bytes */
export async function pack(): Promise<{ tarball: string; packed: number; unpacked: number; files: number }> {
  const folder = newFolder("pack");
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const { stdout } = await must(checkout, "npm", args);
  const [packed] = JSON.parse(stdout) as [
    { filename: string; size: number; unpackedSize: number; entryCount: number },
  ];
  const { filename, size, unpackedSize, entryCount } = packed;
  return { tarball: join(folder, filename), packed: size, unpacked: unpackedSize, files: entryCount };
}

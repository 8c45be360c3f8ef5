// Lets `TEST_SERVER=/path/to/valkey-server` choose the server of tests, laboratory, fuzzing, soak and benchmarks, the embedded ones
// included: all of them look for `redis-server` on PATH.
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import path from "node:path";
import { isNewEnough, isProgram } from "./programs.mjs";
import { Failure } from "./script.mjs";

/** Puts the chosen server first on PATH. */
export function useTestServer() {
  const { TEST_SERVER: server } = process.env;
  if (!server) return;
  if (!isProgram(server) || !isNewEnough(server))
    throw new Failure(
      `TEST_SERVER: expected the path of a Redis or Valkey server (7 or newer), got ${server}`,
    );
  const folder = path.resolve("node_modules/.cache/holdfast/servers", encodeURIComponent(server));
  mkdirSync(folder, { recursive: true });
  rmSync(path.join(folder, "redis-server"), { force: true });
  symlinkSync(path.resolve(server), path.join(folder, "redis-server"));
  process.env.PATH = [folder, process.env.PATH].join(path.delimiter);
}

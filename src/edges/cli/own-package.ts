import { readFileSync } from "node:fs";
import { packageFile } from "../../platform/lib/package-file.ts";

export interface OwnPackage {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

export function readOwnPackage(): OwnPackage {
  return JSON.parse(readFileSync(packageFile("package.json"), "utf8")) as OwnPackage;
}

import { packageFile } from "../../../platform/lib/package-file.ts";
import { readPageFiles } from "./read-page-files.ts";

/** The built console. The build writes its bytes in here: what copies modules alone copies the pages, too. */
export const consoleFiles = readPageFiles(packageFile("dist/console"));

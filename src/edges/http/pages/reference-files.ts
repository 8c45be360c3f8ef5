import { packageFile } from "../../../platform/lib/package-file.ts";
import { readPageFiles } from "./read-page-files.ts";

/** The reference's page and program. The build writes their bytes in here, as it does with the console's. */
export const referenceFiles = readPageFiles(packageFile("dist/edges/http/reference"));

import { readFile } from "node:fs/promises";
import { readExport } from "../../desk/doubts/provider-export.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";

/**
 * Reads the texts in an export, as `readExport` finds them.
 *
 * @throws HoldfastError `USAGE`
 */
export async function readValues(file: string, column?: string): Promise<ReadonlySet<string>> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new HoldfastError("USAGE", `${file}: cannot be read`, { cause });
  });
  const read = readExport(text, column);
  if ("fault" in read) throw new HoldfastError("USAGE", `${file}: ${read.fault}`);
  return read.values;
}
